# The documents: what they say of tests and options is there.

load helper

@test "each test that SECURITY.md names is one" {
    sed -n 's/^| .* | .* | \(.*bats: .*\) |$/\1/p' SECURITY.md | sed 's/; \([a-z-]*\.bats: \)/\n\1/g' >"$D/named"
    [ "$(wc -l <"$D/named")" -gt 30 ]
    while IFS= read -r line; do
        file=test/${line%%: *}
        grep -F "@test \"${line#*: }" "$file" >/dev/null || {
            echo "there is no such test: $line"
            return 1
        }
    done <"$D/named"
}

@test "each option of --help is in the man page, and the other way round" {
    for program in relayd.8 relay-connect.1; do
        name=${program%.*}
        "$ROOT/$name" --help | grep -oE -- '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort >"$D/help"
        grep -E '^\.It Fl' "man/$program" | grep -oE 'Fl Fl [a-z-]+' | sed 's/Fl Fl /--/' | sort -u >"$D/man"
        diff "$D/help" "$D/man"
    done
}

@test "CONTRIBUTING.md has every file of lib" {
    for file in lib/*.c lib/proto/*.c; do
        grep -q "\`$(basename "$file" .c)\`\|\`lib/$(basename "$file" .c)\`" CONTRIBUTING.md || {
            echo "$file is not there"
            return 1
        }
    done
}
