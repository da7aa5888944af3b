# Rights: relayd gives root up once its ports are bound, for good.

load helper

# A leak sanitizer wants to see /proc at the end, and waits for it for ever.
export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS-}"

need_root() {
    [ "$(id -u)" -eq 0 ] || skip "this needs root"
    # A capability less, and it is another test.
    [ "$(awk '/^CapEff:/ {print $2}' /proc/self/status)" != 0000000000000000 ] || skip "this root has no rights"
    NOBODY=$(id -u nobody) GROUP=$(id -g nobody)
    mkdir -p "$D/empty"
}

# find_low_ports COUNT: sets CONTROL, with so many ports above it, all below 1024.
find_low_ports() {
    local base

    for _ in {1..50}; do
        base=$((600 + RANDOM % 300))
        any_in_use "$base" $((base + $1)) || break
    done
    CONTROL=$base
}

# ids_of PID KEY: the real, effective, saved and file system's one.
ids_of() {
    awk -v key="$2:" '$1 == key {print $2, $3, $4, $5}' "/proc/$1/status"
}

is_nobody() {
    [ "$(ids_of "$1" Uid)" = "$NOBODY $NOBODY $NOBODY $NOBODY" ]
    [ "$(ids_of "$1" Gid)" = "$GROUP $GROUP $GROUP $GROUP" ]
    [ "$(awk '/^Groups:/ {$1 = ""; print $0}' "/proc/$1/status" | tr -d ' ')" = "$GROUP" ]
    [ "$(grep -c '^Cap\(Prm\|Eff\):.*0000000000000000$' "/proc/$1/status")" -eq 2 ]
}

# fails STATUS TEXT COMMAND...: one line with TEXT, and that exit status.
fails() {
    local expected=$1 text=$2

    shift 2
    run timeout 10 "$@"
    echo "$output"
    [ "$status" -eq "$expected" ]
    [[ ${lines[-1]} = *"$text"* ]]
}

@test "relayd and its sessions are the user and nothing else, in the directory" {
    need_root
    start_all -u nobody --chroot "$D/empty" 127.0.0.1:0+4
    said relayd "^rights user=nobody uid=$NOBODY gid=$GROUP chroot=$D/empty$"
    hold_sessions "$PUBLIC" 2
    for pid in "${PID[relayd]}" $(offspring relayd); do
        is_nobody "$pid"
        [ "$(readlink "/proc/$pid/root")" = "$D/empty" ]
        [ "$(readlink "/proc/$pid/cwd")" = "$D/empty" ]
    done
    [ "$(offspring relayd | wc -l)" -eq 2 ]
    ps -o args= -p "$(value relayd '^pair ' pid)" | grep -q '^relayd: web 127\.0\.0\.1:'
    finish_held
    load_served 2
}

@test "rights are given up after the ports are bound and before it is ready" {
    need_root
    start_relayd -u nobody 127.0.0.1:0+2
    said relayd "^rights user=nobody uid=$NOBODY gid=$GROUP chroot=-$"
    [ "$(sed -n 's/ .*//; /^\(listen\|rights\|ready\)$/p' "$D/relayd.err" | tr '\n' ' ')" = "listen rights ready " ]
}

@test "ports below 1024 are given out, taken back and given out again" {
    need_root
    find_low_ports 2
    base=$CONTROL
    start_relayd -u nobody --chroot "$D/empty" "127.0.0.1:$base+2"
    for _ in {1..5}; do
        serve_by_hand web
        [ "$SERVICE_PORT" = $((base + 1)) ]
        announced_client
        claim "$ID"
        talks "$CLIENT_FD" "$DATA_FD"
        hang_up "$CONTROL_FD"
        wait_for refused "$SERVICE_PORT"
        talks "$CLIENT_FD" "$DATA_FD"
        hang_up "$CLIENT_FD"
        hang_up "$DATA_FD"
    done
    not said relayd '^rebind '
    is_nobody "${PID[relayd]}"
}

@test "USER:GROUP, by name and by number" {
    need_root
    group=$(getent group daemon | cut -d: -f3)
    for rights in "nobody:daemon $NOBODY $group" "$NOBODY:$group $NOBODY $group" "$NOBODY $NOBODY $GROUP" \
        "54321:$group 54321 $group" "54321:54322 54321 54322"; do
        read -r user uid gid <<<"$rights"
        start_relayd --user="$user" 127.0.0.1:0+2
        [ "$(ids_of "${PID[relayd]}" Uid)" = "$uid $uid $uid $uid" ]
        [ "$(ids_of "${PID[relayd]}" Gid)" = "$gid $gid $gid $gid" ]
        said relayd "^rights user=$user uid=$uid gid=$gid chroot=-$"
        stop relayd
        [ "$status" -eq 0 ]
    done
}

@test "a user that is not there, root, and a number without a group are start-up errors" {
    need_root
    for user in nosuchuser nobody:nosuchgroup root 0 0:54321 54321 nobody: :nobody '' 99999999999; do
        fails 1 "'$user'" "${RELAYD_WORDS[@]}" --user "$user" 127.0.0.1:0
    done
}

@test "a directory that is not there is a start-up error that names it" {
    need_root
    fails 1 "$D/none" "${RELAYD_WORDS[@]}" -u nobody --chroot "$D/none" 127.0.0.1:0
    [[ $output != *ready* ]]
}

@test "--chroot without --user is a usage mistake" {
    fails 2 --user "${RELAYD_WORDS[@]}" --chroot "$D" 127.0.0.1:0
}

@test "who is not root cannot become another user, and is told so" {
    if [ "$(id -u)" -eq 0 ]; then
        command -v setpriv >/dev/null || skip "there is no setpriv"
        [ ${#RELAYD_WORDS[@]} -eq 1 ] || skip "relayd is more than one program"
        cp "${RELAYD_WORDS[0]}" "$D/relayd"
        chmod 755 "$D/relayd" "$D"
        fails 1 root setpriv --reuid 54321 --regid 54321 --clear-groups "$D/relayd" -u nobody 127.0.0.1:0
    else
        fails 1 root "${RELAYD_WORDS[@]}" -u nobody 127.0.0.1:0
    fi
    [[ $output != *listen* ]]
}
