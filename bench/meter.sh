# shellcheck shell=sh disable=SC2034
# meter: CPU and memory of the processes in a group, one group for each end of
# each relay. To be sourced. A group is a cgroup where root may make one whose
# controllers count (version 2, else 1), because that counts processes which
# are gone too, and the kernel's memory; elsewhere the processes that came of a
# pid, as /proc shows them. BENCH_METER=v2, v1 or proc allows that one only.

meter=

# mount_of OPTION: where the cgroup hierarchy is whose mount options have it.
mount_of()
{
    awk -v option="$1" '$3 ~ /^cgroup2?$/ && ("," $3 "," $4 ",") ~ ("," option ",") {print $2; exit}' /proc/self/mounts
}

# own_in CONTROLLER: this shell's cgroup there; empty: version 2.
own_in()
{
    awk -F: -v want="$1" '("," $2 ",") ~ ("," want ",") {print $3; exit}' /proc/self/cgroup
}

# make_in MOUNT PATH: makes our directory below PATH, or where a container does not see that, at the top.
make_in()
{
    for dir in "$1${2%/}" "$1"; do
        dir=$dir/relayd-bench.$$
        if mkdir "$dir" 2>/dev/null; then
            echo "$dir"
            return 0
        fi
    done
    return 1
}

# The memory controller has to be there for us already: switching it on for
# the whole system is not ours to do.
begin_v2()
{
    top=$(mount_of cgroup2)
    [ -n "$top" ] && grep -qw memory "$top/cgroup.subtree_control" 2>/dev/null || return 1
    cpu_top=$(make_in "$top" '') || return 1
    mem_top=$cpu_top
    if ! echo +memory >"$cpu_top/cgroup.subtree_control" 2>/dev/null; then
        rmdir "$cpu_top"
        return 1
    fi
    meter='cgroup v2'
}

begin_v1()
{
    cpu_mount=$(mount_of cpuacct)
    mem_mount=$(mount_of memory)
    [ -n "$cpu_mount" ] && [ -n "$mem_mount" ] || return 1
    cpu_top=$(make_in "$cpu_mount" "$(own_in cpuacct)") || return 1
    if ! mem_top=$(make_in "$mem_mount" "$(own_in memory)"); then
        rmdir "$cpu_top"
        return 1
    fi
    meter='cgroup v1'
}

begin_proc()
{
    cpu_top=
    mem_top=
    ticks=$(getconf CLK_TCK 2>/dev/null || echo 100)
    meter=/proc
}

meter_begin()
{
    for kind in ${BENCH_METER:-v2 v1 proc}; do
        "begin_$kind" && return 0
    done
    die "there is no way to measure CPU and memory: BENCH_METER=$BENCH_METER"
}

meter_end()
{
    [ -n "$cpu_top" ] || return 0
    for dir in "$cpu_top"/* "$mem_top"/* "$cpu_top" "$mem_top"; do
        [ ! -d "$dir" ] || rmdir "$dir" 2>/dev/null || say "$dir is left"
    done
}

# group_make GROUP
group_make()
{
    [ -n "$cpu_top" ] || return 0
    mkdir "$cpu_top/$1"
    [ "$cpu_top" = "$mem_top" ] || mkdir "$mem_top/$1"
}

group_remove()
{
    [ -n "$cpu_top" ] || return 0
    rmdir "$cpu_top/$1" 2>/dev/null || :
    [ "$cpu_top" = "$mem_top" ] || rmdir "$mem_top/$1" 2>/dev/null || :
}

# group_run GROUP COMMAND...: becomes the command, in the group; for a subshell.
group_run()
{
    group=$1
    shift
    [ -n "$cpu_top" ] || exec "$@"
    # shellcheck disable=SC2016  # the inner shell's
    exec sh -c 'for dir in "$1" "$2"; do echo $$ >"$dir/cgroup.procs" || exit; done; shift 2; exec "$@"' \
        sh "$cpu_top/$group" "$mem_top/$group" "$@"
}

# The processes that came of these, themselves included.
tree_of()
{
    [ $# -gt 0 ] || return 0
    { cat /proc/[0-9]*/stat 2>/dev/null || :; } | awk -v roots="$*" '
        BEGIN { n = split(roots, r); for (i = 1; i <= n; i++) in_tree[r[i]] = 1 }
        { pid[NR] = $1; sub(/.*\) /, ""); parent[NR] = $2 }
        END {
            do {
                more = 0
                for (i = 1; i <= NR; i++)
                    if (parent[i] in in_tree && !(pid[i] in in_tree)) { in_tree[pid[i]] = 1; more = 1 }
            } while (more)
            for (i = 1; i <= NR; i++) if (pid[i] in in_tree) print pid[i]
        }'
}

# group_pids GROUP PID...: the pids are those that it was started with.
group_pids()
{
    group=$1
    shift
    if [ -n "$cpu_top" ]; then
        cat "$cpu_top/$group/cgroup.procs"
    else
        tree_of "$@"
    fi
}

# group_cpu GROUP PID...: microseconds so far.
group_cpu()
{
    case $meter in
    'cgroup v2') sed -n 's/^usage_usec //p' "$cpu_top/$1/cpu.stat" ;;
    'cgroup v1') echo $(($(cat "$cpu_top/$1/cpuacct.usage") / 1000)) ;;
    /proc)
        for pid in $(group_pids "$@"); do
            cat "/proc/$pid/stat" 2>/dev/null || :
        done | awk -v ticks="$ticks" '
            { sub(/.*\) /, ""); sum += $12 + $13 + $14 + $15 }
            END { printf "%d\n", sum * 1000000 / ticks }'
        ;;
    esac
}

# group_pss GROUP PID...: kB in use by the programs themselves, shared pages by their share.
group_pss()
{
    for pid in $(group_pids "$@"); do
        cat "/proc/$pid/smaps_rollup" 2>/dev/null || :
    done | awk '$1 == "Pss:" {sum += $2} END {print sum + 0}'
}

# group_kernel GROUP: kB that the kernel has for it; nothing where there is no cgroup. It is
# exact, while what is charged in all is rounded up to some hundred kB for each processor.
group_kernel()
{
    case $meter in
    'cgroup v2') awk '$1 == "kernel" || $1 == "sock" {sum += $2} END {printf "%d\n", sum / 1024}' "$mem_top/$1/memory.stat" ;;
    'cgroup v1') echo $(($(cat "$mem_top/$1/memory.kmem.usage_in_bytes") / 1024)) ;;
    esac
}

# The kernel adds up a cgroup's memory every two seconds, and when much has changed.
settle()
{
    if [ -n "$mem_top" ]; then
        sleep "${BENCH_SETTLE:-2.2}" 2>/dev/null || sleep 3
    else
        sleep 0.3 2>/dev/null || sleep 1
    fi
}

# group_memory GROUP PID...: kB in use by the programs themselves and by the kernel for
# them, without files in the page cache; without the kernel's where there is no cgroup.
group_memory()
{
    case $meter in
    'cgroup v2') anonymous=$(sed -n 's/^anon //p' "$mem_top/$1/memory.stat") ;;
    'cgroup v1') anonymous=$(sed -n 's/^total_rss //p' "$mem_top/$1/memory.stat") ;;
    /proc)
        group_pss "$@"
        return
        ;;
    esac
    echo $((anonymous / 1024 + $(group_kernel "$1")))
}
