# Half-close: the end of one direction is passed on while the other goes on.

load helper

@test "the client ends first, and gets the whole answer, 100 of 100" {
    start_all
    load_client "$PUBLIC" client-first --sessions 100 --at-once 10 --up 10000 --down 3000000
    load_served 100
}

@test "the server ends first, and gets the whole rest, 100 of 100" {
    start_all
    load_client "$PUBLIC" server-first --sessions 100 --at-once 10 --up 3000000 --down 10000
    load_served 100
}

@test "an end without a byte before it is passed on" {
    start_all
    load_client "$PUBLIC" client-first --sessions 20 --at-once 10 --up 0 --down 100000
    load_client "$PUBLIC" server-first --sessions 20 --at-once 10 --up 100000 --down 0
    load_served 40
}

@test "a client that closes with all unread behind it loses no byte" {
    start_all
    load_client "$PUBLIC" client-closes --sessions 100 --at-once 20 --up 1048576 --down 0 --pause-server 200
    load_served 100
}

@test "a server that closes with all unread behind it loses no byte" {
    start_all
    load_client "$PUBLIC" server-closes --sessions 100 --at-once 20 --up 0 --down 1048576 --pause-client 200
    load_served 100
}

@test "the slow rest of an answer arrives long after the other end" {
    start_all
    load_client "$PUBLIC" client-first --sessions 10 --at-once 10 --up 1000 --down 8000000 --pause-client 1000
    load_client "$PUBLIC" server-first --sessions 10 --at-once 10 --up 8000000 --down 1000 --pause-server 1000
    load_served 20
}
