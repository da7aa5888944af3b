# readme: what README.md says, as it stands there.

# readme_block LINE: the indented block that has a line which begins so, without its indentation.
readme_block() {
    awk -v line="    $1" '
        /^    / { block = block substr($0, 5) "\n"; found = found || index($0, line) == 1; next }
        found { exit }
        { block = "" }
        END { if (!found) exit 1; printf "%s", block }' "$ROOT/README.md"
}
