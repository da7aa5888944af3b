.POSIX:

CC = cc
CFLAGS = -Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
LDFLAGS =
# Two kilobytes here, four there. LDFLAGS comes behind these and wins: a dynamic
# build is hardened by LDFLAGS='-Wl,-z,relro,-z,now,-z,separate-code' (a static
# one has nothing that RELRO could protect). For other linkers: make SMALL=
SMALL = -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,-z,common-page-size=512
WARNINGS = -std=c99 -pedantic -Wall -Wextra -Wshadow
PREFIX = /usr/local
DESTDIR =

COMPILE = $(CC) $(WARNINGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -c -o $@

# What both programs are made of.
COMMON = lib/addr.o lib/child.o lib/cidr.o lib/claim.o lib/clock.o lib/copy.o lib/handover.o \
	lib/http_body.o lib/http_head.o lib/http_reader.o \
	lib/key.o lib/keyfile.o lib/keys.o lib/leave.o lib/leg.o lib/line.o lib/listener.o lib/log.o lib/lograte.o \
	lib/loop.o lib/name.o lib/nursery.o lib/opening.o lib/options.o lib/os-generic.o lib/os-linux.o \
	lib/proxy.o lib/report.o lib/sandbox.o lib/secret.o lib/session.o lib/sha256.o lib/slab.o lib/sock.o \
	lib/text.o lib/transport.o lib/wipe.o lib/worker.o lib/worker_child.o lib/proto/hostpool_message.o \
	lib/proto/hostpool_reader.o lib/proto/mux.o lib/proto/mux_carry.o lib/proto/mux_child.o lib/proto/mux_frame.o \
	lib/proto/new_line.o lib/proto/new_proof.o lib/proto/protobuf.o \
	lib/proto/ptth_path.o

RELAYD = relayd.o lib/newcomers.o lib/portpool.o lib/preamble.o lib/rendezvous.o \
	lib/reverse.o lib/rights.o lib/service.o lib/sticky.o lib/tally.o lib/proto/endpoint.o lib/proto/http_caller.o \
	lib/proto/hostpool_relay.o lib/proto/muxado_relay.o lib/proto/new_auth.o lib/proto/new_conn.o lib/proto/new_offer.o \
	lib/proto/new_port.o lib/proto/new_relay.o lib/proto/new_wait.o lib/proto/new_words.o \
	lib/proto/ptth_connection.o lib/proto/ptth_place.o lib/proto/ptth_relay.o \
	lib/proto/relay_protos.o lib/proto/tlsrelay_relay.o

CONNECT = relay-connect.o lib/backoff.o lib/base64.o lib/command.o lib/dial.o lib/forward_proxy.o \
	lib/target.o lib/uplink.o lib/via.o lib/proto/attach.o lib/proto/control.o lib/proto/hostpool_server.o lib/proto/muxado_server.o \
	lib/proto/client_protos.o lib/proto/new_claim.o lib/proto/new_ready.o lib/proto/new_server.o \
	lib/proto/ptth_call.o lib/proto/ptth_client.o lib/proto/ptth_server.o lib/proto/server_protos.o \
	lib/proto/tlsrelay_line.o lib/proto/tlsrelay_server.o

all: relayd relay-connect

relayd: $(RELAYD) $(COMMON)
	$(CC) $(CFLAGS) $(SMALL) $(LDFLAGS) -o $@ $(RELAYD) $(COMMON)

relay-connect: $(CONNECT) $(COMMON)
	$(CC) $(CFLAGS) $(SMALL) $(LDFLAGS) -o $@ $(CONNECT) $(COMMON)

.SUFFIXES: .o .c
.c.o:
	$(COMPILE) $<

# Every object depends on every header: they are small, and a build takes seconds.
HEADERS = lib/addr.h lib/backoff.h lib/base64.h lib/child.h lib/cidr.h lib/claim.h lib/clock.h lib/command.h \
	lib/copy.h lib/dial.h lib/dial_host.h lib/forward_proxy.h lib/handover.h lib/http_body.h lib/http_head.h lib/http_reader.h \
	lib/job.h lib/key.h lib/keyfile.h lib/keys.h lib/leave.h \
	lib/leg.h lib/line.h lib/listener.h lib/log.h lib/lograte.h lib/loop.h lib/name.h lib/newcomers.h \
	lib/nursery.h lib/opening.h lib/options.h lib/os.h lib/portpool.h lib/preamble.h lib/proxy.h \
	lib/rendezvous.h lib/report.h lib/reverse.h lib/rights.h lib/sandbox.h lib/secret.h lib/service.h \
	lib/session.h lib/sha256.h lib/slab.h lib/sock.h lib/sticky.h lib/tally.h lib/target.h lib/text.h lib/transport.h \
	lib/uplink.h lib/via.h lib/wipe.h lib/worker.h lib/worker_child.h lib/proto/attach.h \
	lib/proto/control.h lib/proto/endpoint.h lib/proto/hostpool_message.h lib/proto/hostpool_reader.h \
	lib/proto/mux.h lib/proto/mux_carry.h lib/proto/mux_child.h lib/proto/mux_frame.h lib/proto/new_auth.h \
	lib/proto/new_claim.h lib/proto/new_conn.h lib/proto/new_line.h \
	lib/proto/new_offer.h lib/proto/new_port.h lib/proto/new_proof.h lib/proto/new_ready.h \
	lib/proto/new_wait.h lib/proto/new_words.h lib/proto/http_caller.h lib/proto/client_proto.h lib/proto/ptth_call.h lib/proto/ptth_connection.h lib/proto/ptth_path.h lib/proto/ptth_place.h \
	lib/proto/protobuf.h lib/proto/relay_proto.h \
	lib/proto/server_proto.h lib/proto/tlsrelay_line.h

$(RELAYD) $(CONNECT) $(COMMON): $(HEADERS)

# What the tests call.
TOOLS = test/tools/attack test/tools/churn test/tools/codecs test/tools/drip test/tools/forbidden test/tools/guess \
	test/tools/http test/tools/liar test/tools/load test/tools/messages test/tools/mux test/tools/plain_echo \
	test/tools/plain_relay test/tools/pool_relay test/tools/ready_relay test/tools/remembers \
	test/tools/storm

# Parsers, and what gives them bytes: with clang's libFuzzer (make fuzz), or with seeds alone (make test).
FUZZED = $(COMMON) lib/base64.o lib/dial.o lib/forward_proxy.o lib/target.o lib/proto/tlsrelay_line.o
FUZZERS = test/fuzz/addr test/fuzz/cidr test/fuzz/forward_proxy test/fuzz/hostpool_message \
	test/fuzz/http_body test/fuzz/http_head test/fuzz/keyfile test/fuzz/line test/fuzz/mux \
	test/fuzz/new_line test/fuzz/proxy test/fuzz/sha256 test/fuzz/target test/fuzz/text test/fuzz/tlsrelay_line
FUZZ = $(FUZZERS)

test-tools: $(TOOLS) $(FUZZERS) bench/load

CODECS = lib/addr.o lib/base64.o lib/cidr.o lib/key.o lib/name.o lib/proxy.o lib/sha256.o lib/text.o lib/wipe.o \
	lib/proto/new_line.o lib/proto/new_proof.o lib/proto/ptth_path.o lib/proto/tlsrelay_line.o

test/tools/codecs: test/tools/codecs.c test/tools/check.h $(CODECS) $(HEADERS)
	$(CC) $(WARNINGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -o $@ test/tools/codecs.c $(CODECS)

MESSAGES = lib/proto/hostpool_message.o lib/proto/protobuf.o lib/addr.o lib/name.o lib/text.o

test/tools/messages: test/tools/messages.c test/tools/check.h $(MESSAGES) $(HEADERS)
	$(CC) $(WARNINGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -o $@ test/tools/messages.c $(MESSAGES)

MUX = lib/proto/mux.o lib/proto/mux_frame.o lib/slab.o

test/tools/mux: test/tools/mux.c test/tools/check.h $(MUX) $(HEADERS)
	$(CC) $(WARNINGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -o $@ test/tools/mux.c $(MUX)

HTTP = lib/addr.o lib/clock.o lib/http_body.o lib/http_head.o lib/http_reader.o lib/name.o lib/os-generic.o lib/os-linux.o \
	lib/sock.o lib/text.o

test/tools/http: test/tools/http.c test/tools/check.h $(HTTP) $(HEADERS)
	$(CC) $(WARNINGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -o $@ test/tools/http.c $(HTTP)

SANDBOX = lib/os-generic.o lib/os-linux.o lib/sandbox.o lib/text.o lib/wipe.o

test/tools/forbidden: test/tools/forbidden.c $(SANDBOX) $(HEADERS)
	$(CC) $(WARNINGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -o $@ test/tools/forbidden.c $(SANDBOX)

$(FUZZERS): $(FUZZERS:=.c) test/fuzz/fuzz.h test/fuzz/replay.c $(FUZZED) $(HEADERS)
	$(CC) $(WARNINGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -o $@ $@.c test/fuzz/replay.c $(FUZZED)

# Speed and memory, beside other relays that are installed: bench/run --help.
bench: all bench/load
	bench/run main
	bench/table

bench-growth: all bench/load
	bench/run growth
	bench/table growth

bench-publish:
	bench/publish

.c:
	$(CC) $(WARNINGS) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -o $@ $<

test: all
	scripts/check --no-install

check: all
	scripts/check

fuzz:
	scripts/fuzz $(FUZZ) -- $(FUZZED:.o=.c)

install: all
	mkdir -p $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/man/man1
	cp relayd scripts/tx_tlsrelay $(DESTDIR)$(PREFIX)/sbin
	cp relay-connect scripts/relay-certs scripts/relay-key $(DESTDIR)$(PREFIX)/bin
	cp man/relayd.8 man/tx_tlsrelay.8 $(DESTDIR)$(PREFIX)/share/man/man8
	cp man/relay-certs.1 man/relay-connect.1 man/relay-key.1 $(DESTDIR)$(PREFIX)/share/man/man1

clean:
	rm -f relayd relay-connect *.o lib/*.o lib/proto/*.o $(TOOLS) $(FUZZERS) bench/load
