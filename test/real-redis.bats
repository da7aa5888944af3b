# A real database behind it: Redis, as it is, under its own benchmark.
# long: 25 s

load helper

start_redis() {
    local port

    port=$(free_port)
    start redis redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$D" --protected-mode no
    wait_for listening "$port"
    # Ended sessions count until they are reaped, which a busy machine may do late.
    start_relayd --max-per-source 1000 --max-sessions 1000 --max-per-service 1000 127.0.0.1:0+8
    start_connect -n redis "127.0.0.1:$CONTROL" "127.0.0.1:$port"
}

cli() {
    redis-cli -h 127.0.0.1 -p "$PUBLIC_PORT" "$@"
}

# Its numbers, and nothing that looks like an error.
benchmark() {
    run timeout $((60 * TIME_FACTOR)) redis-benchmark -h 127.0.0.1 -p "$PUBLIC_PORT" -q "$@"
    echo "$output" | tr '\r' '\n' | grep -v 'overall:'
    [ "$status" -eq 0 ]
    [[ $output = *'requests per second'* ]]
    [[ ! $output =~ [Ee]rror|refused|reset|closed ]]
}

@test "values go in and come out" {
    start_redis
    [ "$(cli set key value)" = OK ]
    [ "$(cli get key)" = value ]
    head -c 1000000 /dev/urandom >"$D/value"
    [ "$(cli -x set big <"$D/value")" = OK ]
    [ "$(cli strlen big)" = 1000000 ]
}

@test "its benchmark runs clean" {
    start_redis
    benchmark -n "$(scaled 20000)" -c 50 -t ping,set,get,incr,lpush,lrange_100
    [ "$(cli get counter:__rand_int__)" -ge "$(scaled 20000)" ]
}

@test "its benchmark with large values and pipelines runs clean" {
    start_redis
    benchmark -n "$(scaled 20000)" -c 20 -d 10000 -P 16 -t set,get
}

@test "its benchmark with a connection for each request runs clean" {
    start_redis
    benchmark -n "$(scaled 2000)" -c 10 -k 0 -t ping_inline
}
