# limits: what a process is held to, as /proc shows it.

# status_of PID KEY: from /proc/PID/status.
status_of() {
    awk -v key="$2:" '$1 == key {print $2}' "/proc/$1/status"
}

# What stands in /proc/PID/limits as the soft and the hard limit.
limits_of() {
    grep "^$2 " "/proc/$1/limits" | awk -v words="$(wc -w <<<"$2")" '{print $(words + 1), $(words + 2)}'
}

sandboxed() {
    [ "$(status_of "$1" NoNewPrivs)" = 1 ] && [ "$(status_of "$1" Seccomp)" = 2 ]
}

no_limits_left() {
    [ "$(limits_of "$1" 'Max processes')" = "0 0" ]
    [ "$(limits_of "$1" 'Max core file size')" = "0 0" ]
    [ "$(limits_of "$1" 'Max file size')" = "0 0" ]
}
