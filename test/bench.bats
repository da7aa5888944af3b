# The benchmark: a very short one, of relayd alone, has every figure.

load helper

MAIN='one_gbit one_cpu_s_per_gib eight_gbit eight_cpu_s_per_gib short_per_s short_cpu_us short_p50_us short_p99_us
first_p50_us first_paused_p50_us idle_kb session_relay_kb session_connect_kb session_kb'

# bench PART [VARIABLE=VALUE...]: leaves its results in $D.
bench() {
    env BENCH_DIR="$D" BENCH_SVG="$D/plot.svg" BENCH_PEERS=relayd BENCH_ROUNDS=1 BENCH_SECONDS=0.1 BENCH_HOLD=20 \
        BENCH_SETTLE=0.1 BENCH_REST=0 RELAYD="${RELAYD_WORDS[0]}" RELAY_CONNECT="${CONNECT_WORDS[0]}" "${@:2}" bench/run "$1" 2>"$D/bench.err" || {
        cat "$D/bench.err"
        return 1
    }
}

# figure PART NAME: relayd's.
figure() {
    awk -v name="$2" '$1 == "relayd" && $2 == name {print $4}' "$D/$1"
}

# between PART NAME LEAST MOST
between() {
    awk -v v="$(figure "$1" "$2")" -v least="$3" -v most="$4" \
        'BEGIN {exit !(v != "" && v + 0 >= least + 0 && v + 0 <= most + 0)}' || {
        echo "$2 is '$(figure "$1" "$2")', not from $3 to $4"
        return 1
    }
}

nothing_left() {
    [ -z "$(find "$D" -name 'bench.*' ! -name '*.err')" ]
    not grep 'is left' "$D/bench.err"
}

plausible() {
    for name in $MAIN; do
        between main "$name" 0.001 100000000
    done
    between main one_gbit 0.01 1000
    between main short_per_s 1 1000000
    between main short_failed 0 0
    between main idle_kb 50 1000000
    between main session_kb 1 100000
    [ "$(figure main short_p50_us)" -le "$(figure main short_p99_us)" ]
}

@test "a short bench has every figure, leaves nothing, and says what it cannot run" {
    bench main TMPDIR="$D" BENCH_PEERS='chisel relayd'
    plausible
    nothing_left
    command -v chisel || grep -x 'chisel: chisel is not on PATH' "$D/main.missing"
    grep -E '^meter (cgroup v[12]|/proc)$' "$D/main.about"
}

@test "growth, by /proc: with sessions held, and with more services than one relay-connect has" {
    bench growth BENCH_METER=proc BENCH_HELD='5 20' BENCH_SERVICES=40
    grep -x 'meter /proc' "$D/growth.about"
    for name in held_5 held_20 services_40; do
        between growth "${name}_per_s" 1 1000000
        between growth "${name}_cpu_us" 1 1000000
        between growth "${name}_memory_kb" 50 1000000
        between growth "${name}_failed" 0 0
        between growth "${name}_idle_cpu_us_per_s" 0 500000
    done
}

# Numbers as bench/run leaves them, of two peers and three rounds.
write_results() {
    for round in 1 2 3; do
        for name in $MAIN; do
            echo "relayd $name $round ${round}00"
            echo "rathole $name $round ${round}000"
        done
        for held in 10 1000; do
            echo "relayd held_${held}_per_s $round $((42 * round * held / 2))"
            echo "relayd held_${held}_cpu_us $round 200"
        done >>"$D/growth"
    done >"$D/main"
    printf 'relayd idle_kb 1 84\nrathole idle_kb 1 84\n' >>"$D/main"
    printf 'date 2000-01-01\nsystem X\nmeter /proc\n' >"$D/main.about"
    printf 'relayd relayd 1\n' >"$D/main.versions"
    printf 'bore: not installed\n' >"$D/main.missing"
}

@test "tables have medians, spread and ratios" {
    write_results
    BENCH_DIR=$D bench/table main | grep -F '| one stream, Gbit/s | 200 (100–300) | 2,000 (1,000–3,000) |'
    BENCH_DIR=$D bench/table short | grep -F '| one stream, Gbit/s | 200 | 2,000 |'
    BENCH_DIR=$D bench/table ratios | grep -F '| one stream, Gbit/s | more | rathole | 0.10 | 0.10 |'
    BENCH_DIR=$D bench/table about | grep -F 'Not measured: bore: not installed.'
    BENCH_DIR=$D bench/table growth | grep -F '| 1,000 held | 42,000 (200) |'
    BENCH_DIR=$D bench/table growth | grep -F '| as ratios: 1,000 to 10 | 100.00 (1.00) |'
}

# A drawing is XML whose elements are closed in turn; the numbers in it are numbers.
well_formed() {
    not grep -nE 'nan|inf' "$1"
    tr -d '\n' <"$1" | grep -o '<[^>]*>' | awk '
        /^<\// { if (substr($0, 3, length($0) - 3) != open[depth--]) exit bad = 1; next }
        /\/>$/ { next }
        { name = substr($0, 2); sub(/[ >].*/, "", name); open[++depth] = name }
        END { exit bad || depth != 0 || NR < 20 }'
}

@test "publish writes tables between their markers, and a drawing that is well-formed" {
    write_results
    printf 'before\n<!-- bench:short -->\nold\n<!-- bench:end -->\nafter\n' >"$D/page.md"
    BENCH_DIR=$D BENCH_SVG=$D/plot.svg bench/publish "$D/page.md"
    BENCH_DIR=$D BENCH_SVG=$D/plot.svg bench/publish "$D/page.md"
    [ "$(grep -c '^| one stream' "$D/page.md")" -eq 1 ]
    not grep old "$D/page.md"
    [ "$(sed -n '1p;$p' "$D/page.md" | xargs)" = "before after" ]
    well_formed "$D/plot.svg"
    [ "$(grep -c '<rect' "$D/plot.svg")" -ge 12 ]
}

@test "the documents have the markers of every table" {
    for table in about main ratios growth memory; do
        grep -x "<!-- bench:$table -->" docs/performance.md
    done
    grep -x '<!-- bench:short -->' README.md
}
