# sshd: OpenSSH's, as it is, and its client without anybody's configuration.

# Sets SSHD to its port and OPTIONS to the client's.
run_sshd() {
    SSHD=$(free_port)
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f "$D/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$D/user_key"
    cp "$D/user_key.pub" "$D/authorized"
    cat >"$D/sshd_config" <<END
ListenAddress 127.0.0.1:$SSHD
HostKey $D/host_key
AuthorizedKeysFile $D/authorized
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp internal-sftp
END
    start sshd "$(command -v sshd)" -D -e -f "$D/sshd_config"
    wait_for listening "$SSHD"
    OPTIONS=(-F none -i "$D/user_key" -o BatchMode=yes -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$D/known"
        -o LogLevel=ERROR)
}
