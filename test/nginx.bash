# nginx, as it is.

# run_nginx PORT [BODIES]: with standard input as what stands in its http block,
# which may serve $D/www; bodies of requests go to the directory BODIES. Until it
# listens on PORT.
run_nginx() {
    local user=

    mkdir -p "$D/www"
    chmod 755 "$D" "$D/www"
    [ "$(id -u)" -ne 0 ] || user='user root;'
    cat - >"$D/nginx.http"
    cat >"$D/nginx.conf" <<END
$user
worker_processes 1;
daemon off;
pid $D/nginx.pid;
error_log $D/nginx.err;
events { worker_connections 2048; }
http {
    client_body_temp_path ${2:-$D/body};
    proxy_temp_path $D/proxy; fastcgi_temp_path $D/fastcgi; uwsgi_temp_path $D/uwsgi; scgi_temp_path $D/scgi;
    include $D/nginx.http;
}
END
    start nginx nginx -p "$D" -c "$D/nginx.conf" -e "$D/nginx.err"
    wait_for listening "$1"
}
