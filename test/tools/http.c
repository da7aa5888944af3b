/*
 * http: what the codec of HTTP/1.1 makes of given bytes.
 *
 *     http GROUP          prints what is wrong, a line each; 0 only if nothing is
 *
 * GROUP is heads, mistakes, fields, bodies, chunks or reader. Messages are cut
 * at every byte, and are read from copies of exactly their size. The examples
 * are those of RFC 9112, and the requests by which proxies and servers were
 * set against each other. The random ones are the same every time.
 */
#include "check.h"

#include "../../lib/http_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHOWN 512
#define BYTES(s) s, sizeof s - 1
#define LIMIT "4611686018427387904"
#define BEYOND "4611686018427387905"

static char *copy_of(const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL)
        exit(1);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

static long end_of(const char *bytes, size_t len)
{
    char *copy = copy_of(bytes, len);
    long end = http_head_end(copy, len);

    free(copy);
    return end;
}

/* Whole heads: what is in them. */

static const char *body_text(const struct http_body *b)
{
    static char length[32];

    if (b->kind == HTTP_BODY_RAW)
        return "raw";
    if (b->kind == HTTP_BODY_CHUNKED)
        return "chunks";
    snprintf(length, sizeof length, "%llu%s", b->left, b->over ? "" : "...");
    return length;
}

static void show(const char *bytes, size_t len, char out[SHOWN])
{
    char *first = copy_of(bytes, len), *second = copy_of(bytes, len);
    struct http_request r;
    struct http_answer a;

    snprintf(out, SHOWN, "bad");
    if (http_request_parse(&r, first, len) == 0) {
        snprintf(out, SHOWN, "%s %s %d %s%s %s", r.method, r.target, r.minor, r.keep_alive ? "keep" : "close",
                 r.expects_continue ? " continue" : "", r.has_body ? body_text(&r.body) : "none");
        check(r.has_body || r.body.over, "a body that is none", "is over");
    }
    if (http_answer_parse(&a, second, len) == 0) {
        check(strcmp(out, "bad") == 0, "a request", "that is an answer");
        snprintf(out, SHOWN, "%d '%s' %d %s %s", a.status, a.reason, a.minor, a.keep_alive ? "keep" : "close",
                 body_text(&a.body));
    }
    free(first);
    free(second);
}

#define GET(fields) BYTES("GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")
#define GET_0(fields) BYTES("GET / HTTP/1.0\r\n" fields "\r\n")
#define POST(fields) BYTES("POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")
#define TARGET(target) BYTES("GET " target " HTTP/1.1\r\nHost: a\r\n\r\n")
#define OK(fields) BYTES("HTTP/1.1 200 OK\r\n" fields "\r\n")
#define KEPT "GET / 1 keep none"

struct message {
    const char *about, *bytes;
    size_t len;
    const char *shown;
};

/* http_head_end takes them all. */
static const struct message heads[] = {
    {"plain", GET(""), KEPT},
    {"every character of a method", BYTES("!#$%&'*+-.^_`|~aZ09 / HTTP/1.0\r\n\r\n"), "!#$%&'*+-.^_`|~aZ09 / 0 close none"},
    {"a method like a version", BYTES("HTTP / HTTP/1.0\r\n\r\n"), "HTTP / 0 close none"},
    {"empty lines before", BYTES("\r\n\r\nGET / HTTP/1.0\r\n\r\n"), "GET / 0 close none"},
    {"1.2", BYTES("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), KEPT},
    {"1.9 without Host", BYTES("GET / HTTP/1.9\r\n\r\n"), "bad"},
    {"every character of a target", TARGET("/!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"),
     "GET /!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ 1 keep none"},
    {"an asterisk", BYTES("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS * 1 keep none"},
    {"an authority", BYTES("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), "CONNECT a:80 1 keep none"},
    {"absolute-form", TARGET("http://a.example:80/b/c?d"), "GET /b/c?d 1 keep none"},
    {"absolute-form, of https", TARGET("hTTpS://a/"), "GET / 1 keep none"},
    {"absolute-form without a path", TARGET("HTTP://a"), KEPT},
    {"absolute-form with a query alone", TARGET("http://a?b=/c"), "GET /?b=/c 1 keep none"},
    {"absolute-form of another scheme", TARGET("ftp://a/b"), "bad"},
    {"absolute-form of a longer scheme", TARGET("httpss://a/b"), "bad"},
    {"absolute-form without an authority", TARGET("http:///b"), "bad"},
    {"absolute-form with a query and no authority", TARGET("http://?b"), "bad"},
    {"absolute-form of nothing", TARGET("http://"), "bad"},
    {"absolute-form with a fragment", TARGET("http://a#/b"), "bad"},
    {"absolute-form without a scheme", TARGET("://a/b"), "bad"},
    {"a path with a URL in it", TARGET("/http://a/b"), "GET /http://a/b 1 keep none"},

    {"no Host", BYTES("GET / HTTP/1.1\r\n\r\n"), "bad"},
    {"two Hosts", GET("Host: a\r\n"), "bad"},
    {"two Hosts in 1.0", GET_0("Host: a\r\nhost: a\r\n"), "bad"},
    {"one Host in 1.0", GET_0("HOST: a\r\n"), "GET / 0 close none"},
    {"an empty Host", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), KEPT},
    {"two Authorizations", GET("Authorization: a\r\nauthorization: a\r\n"), "bad"},
    {"one Authorization", GET("Authorization: a\r\n"), KEPT},

    {"close", GET("Connection: close\r\n"), "GET / 1 close none"},
    {"close in a list", GET("Connection: a,keep-alive ,\tCLOSE\t,b\r\n"), "GET / 1 close none"},
    {"close in another field", GET("Connection: keep-alive\r\nconnection: close\r\n"), "GET / 1 close none"},
    {"close behind empty ones", GET("Connection: ,, close\r\n"), "GET / 1 close none"},
    {"not close", GET("Connection: closed, enclose, clos, close d, \"close\"\r\nConnection:\r\n"), KEPT},
    {"close of another field", GET("Proxy-Connection: close\r\n"), KEPT},
    {"keep-alive of another field", GET_0("Proxy-Connection: keep-alive\r\n"), "GET / 0 close none"},
    {"keep-alive", GET_0("Connection: Keep-Alive\r\n"), "GET / 0 keep none"},
    {"keep-alive in a list", GET_0("Connection: x\r\nConnection: y, keep-alive\r\n"), "GET / 0 keep none"},
    {"keep-alive and close", GET_0("Connection: close, keep-alive\r\n"), "GET / 0 close none"},

    {"100-continue", POST("Expect: 100-Continue\r\nContent-Length: 1\r\n"), "POST / 1 keep continue 1..."},
    {"100-continue in 1.0", BYTES("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), "POST / 0 close 1..."},
    {"another expectation", GET("Expect: 100-continued\r\nExpect: 200-ok\r\n"), KEPT},

    {"a length", POST("Content-Length: 5\r\n"), "POST / 1 keep 5..."},
    {"a length of 0", POST("Content-Length:0\r\n"), "POST / 1 keep 0"},
    {"a length with zeroes", POST("content-length:\t 0005 \t\r\n"), "POST / 1 keep 5..."},
    {"a length in 1.0", GET_0("Content-Length: 5\r\n"), "GET / 0 close 5..."},
    {"the longest", POST("Content-Length: " LIMIT "\r\n"), "POST / 1 keep " LIMIT "..."},
    {"one more", POST("Content-Length: " BEYOND "\r\n"), "bad"},
    {"2^64", POST("Content-Length: 18446744073709551616\r\n"), "bad"},
    {"2^64 + 5", POST("Content-Length: 18446744073709551621\r\n"), "bad"},
    {"digits without end", POST("Content-Length: 99999999999999999999999999999999999999999\r\n"), "bad"},
    {"an empty length", POST("Content-Length:\r\n"), "bad"},
    {"a blank length", POST("Content-Length: \t \r\n"), "bad"},
    {"a list of lengths", POST("Content-Length: 5, 5\r\n"), "bad"},
    {"a list of lengths without a space", POST("Content-Length: 5,5\r\n"), "bad"},
    {"a length and a comma", POST("Content-Length: 5,\r\n"), "bad"},
    {"two lengths", POST("Content-Length: 5\r\nContent-Length: 6\r\n"), "bad"},
    {"two equal lengths", POST("Content-Length: 5\r\ncontent-length: 5\r\n"), "bad"},
    {"a length and an empty one", POST("Content-Length: 5\r\nContent-Length:\r\n"), "bad"},
    {"a plus", POST("Content-Length: +5\r\n"), "bad"},
    {"a minus", POST("Content-Length: -1\r\n"), "bad"},
    {"minus nothing", POST("Content-Length: -0\r\n"), "bad"},
    {"a length in hex", POST("Content-Length: 0x5\r\n"), "bad"},
    {"a digit in hex", POST("Content-Length: a\r\n"), "bad"},
    {"two numbers", POST("Content-Length: 5 5\r\n"), "bad"},
    {"a fraction", POST("Content-Length: 5.0\r\n"), "bad"},
    {"an exponent", POST("Content-Length: 5e1\r\n"), "bad"},
    {"digits of another script", POST("Content-Length: \xd9\xa5\r\n"), "bad"},
    {"a no-break space", POST("Content-Length: \xa0" "5\r\n"), "bad"},
    {"a length in quotes", POST("Content-Length: \"5\"\r\n"), "bad"},
    {"a length of another name", POST("Content_Length: 5\r\nContent-Lengt: 5\r\nContent-Lengths: 5\r\nX-Content-Length: 5\r\n"),
     "POST / 1 keep none"},

    {"chunks", POST("Transfer-Encoding: chunked\r\n"), "POST / 1 keep chunks"},
    {"chunks in any case", POST("TRANSFER-ENCODING:  ChUNKED\t\r\n"), "POST / 1 keep chunks"},
    {"CL.TE", POST("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n"), "bad"},
    {"TE.CL", POST("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), "bad"},
    {"a length of 0 and chunks", POST("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), "bad"},
    {"chunks and a bad length", POST("Transfer-Encoding: chunked\r\nContent-Length: x\r\n"), "bad"},
    {"chunks in 1.0", GET_0("Transfer-Encoding: chunked\r\n"), "bad"},
    {"chunked twice", POST("Transfer-Encoding: chunked, chunked\r\n"), "bad"},
    {"chunked in two fields", POST("Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n"), "bad"},
    {"chunked and another", POST("Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n"), "bad"},
    {"another and chunked", POST("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), "bad"},
    {"gzip", POST("Transfer-Encoding: gzip\r\n"), "bad"},
    {"gzip, chunked", POST("Transfer-Encoding: gzip, chunked\r\n"), "bad"},
    {"chunked, gzip", POST("Transfer-Encoding: chunked, gzip\r\n"), "bad"},
    {"identity", POST("Transfer-Encoding: identity\r\n"), "bad"},
    {"identity, chunked", POST("Transfer-Encoding: identity, chunked\r\n"), "bad"},
    {"no coding", POST("Transfer-Encoding:\r\n"), "bad"},
    {"no coding and a length", POST("Transfer-Encoding:\r\nContent-Length: 5\r\n"), "bad"},
    {"xchunked", POST("Transfer-Encoding: xchunked\r\n"), "bad"},
    {"x chunked", POST("Transfer-Encoding: x chunked\r\n"), "bad"},
    {"chunkedx", POST("Transfer-Encoding: chunkedx\r\n"), "bad"},
    {"chunke", POST("Transfer-Encoding: chunke\r\n"), "bad"},
    {"chunked with a parameter", POST("Transfer-Encoding: chunked;q=1\r\n"), "bad"},
    {"chunked in quotes", POST("Transfer-Encoding: \"chunked\"\r\n"), "bad"},
    {"chunked in single quotes", POST("Transfer-Encoding: 'chunked'\r\n"), "bad"},
    {"chunked and a comma", POST("Transfer-Encoding: chunked,\r\n"), "bad"},
    {"a comma and chunked", POST("Transfer-Encoding: ,chunked\r\n"), "bad"},
    {"a second colon", POST("Transfer-Encoding:: chunked\r\n"), "bad"},
    {"another byte before chunked", POST("Transfer-Encoding: \x80" "chunked\r\n"), "bad"},
    {"a no-break space before chunked", POST("Transfer-Encoding: \xa0" "chunked\r\n"), "bad"},
    {"a long s", POST("Transfer-Encoding: chun\xe2\x84\xaa" "ed\r\n"), "bad"},
    {"a coding of another name", POST("Transfer_Encoding: chunked\r\nTransfer-Encodin: chunked\r\nX-Transfer-Encoding: chunked\r\n"),
     "POST / 1 keep none"},

    {"an answer", OK("Content-Length: 2\r\n"), "200 'OK' 1 keep 2..."},
    {"an answer in chunks", OK("Transfer-Encoding: chunked\r\n"), "200 'OK' 1 keep chunks"},
    {"an answer to the end", OK(""), "200 'OK' 1 close raw"},
    {"an answer to the end, keep-alive", OK("Connection: keep-alive\r\n"), "200 'OK' 1 close raw"},
    {"an answer, close", OK("Content-Length: 0\r\nConnection: close\r\n"), "200 'OK' 1 close 0"},
    {"an answer of 1.0", BYTES("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), "200 'OK' 0 close 0"},
    {"an answer of 1.0, keep-alive", BYTES("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), "200 'OK' 0 keep 0"},
    {"an answer of 1.0 in chunks", BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad"},
    {"an answer with both", OK("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"), "bad"},
    {"an answer with two lengths", OK("Content-Length: 2\r\nContent-Length: 2\r\n"), "bad"},
    {"an answer with a bad length", OK("Content-Length: 2 \x80\r\n"), "bad"},
    {"an answer with gzip", OK("Transfer-Encoding: gzip, chunked\r\n"), "bad"},
    {"an answer without a reason", BYTES("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), "200 '' 1 keep 0"},
    {"an answer without the space", BYTES("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "200 '' 1 keep 0"},
    {"a long reason", BYTES("HTTP/1.1 404  a\tb \xff \r\nContent-Length: 0\r\n\r\n"), "404 ' a\tb \xff ' 1 keep 0"},
    {"an empty line before an answer", BYTES("\r\nHTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n"), "999 'x' 1 keep 0"},
    {"100", BYTES("HTTP/1.1 100 Continue\r\n\r\n"), "100 'Continue' 1 keep 0"},
    {"101, close", BYTES("HTTP/1.1 101 x\r\nConnection: Upgrade, close\r\n\r\n"), "101 'x' 1 close 0"},
    {"199 with a length", BYTES("HTTP/1.1 199 x\r\nContent-Length: 5\r\n\r\n"), "199 'x' 1 keep 0"},
    {"204 in chunks", BYTES("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n"), "204 'x' 1 keep 0"},
    {"304 with a length", BYTES("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"), "304 'x' 1 keep 0"},
    {"304 with two lengths", BYTES("HTTP/1.1 304 x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), "bad"},
    {"204 with both", BYTES("HTTP/1.1 204 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad"},
    {"100 with a bad length", BYTES("HTTP/1.1 100 x\r\nContent-Length: -5\r\n\r\n"), "bad"},
    {"205", BYTES("HTTP/1.1 205 x\r\n\r\n"), "205 'x' 1 close raw"},
    {"an answer that is not one of HTTP/1.0's fields", OK("Host: a\r\nHost: b\r\nContent-Length: 0\r\n"), "200 'OK' 1 keep 0"},

    {"every byte of a value", GET("a: \x20\t!\"#$%&'()*+,-./0:;<=>?@AZ[\\]^_`az{|}~\x80\x85\xa0\xff\r\n"), KEPT},
    {"every character of a name", GET("!#$%&'*+-.^_`|~aZ09:\r\n"), KEPT},
};

#define HEADS (sizeof heads / sizeof *heads)

/* Whatever comes behind it; and each beginning of it may become one. */
static void a_head(const char *about, const char *bytes, size_t len)
{
    static const char next[] = "\r\nGET / HTTP/1.0\r\n\r\n\0x\n";
    char longer[2048];

    for (size_t part = 0; part < len; part++)
        check(end_of(bytes, part) == 0, about, "a beginning");
    if (len + sizeof next > sizeof longer)
        exit(1);
    memcpy(longer, bytes, len);
    memcpy(longer + len, next, sizeof next);
    for (size_t more = 0; more <= sizeof next; more++)
        check(end_of(longer, len + more) == (long)len, about, "its end");
}

static void whole_heads(void)
{
    char shown[SHOWN];

    for (size_t i = 0; i < HEADS; i++) {
        a_head(heads[i].about, heads[i].bytes, heads[i].len);
        show(heads[i].bytes, heads[i].len, shown);
        check(strcmp(shown, heads[i].shown) == 0, heads[i].about, shown);
    }
    show("", 0, shown);
    check(strcmp(shown, "bad") == 0, "nothing", shown);
    show(heads[0].bytes, heads[0].len - 1, shown);
    check(strcmp(shown, "bad") == 0, "half a head", shown);
    show(BYTES("GET / HTTP/1.0\r\n\r\n\r\n"), shown);
    check(strcmp(shown, "bad") == 0, "a head and more", shown);
}

/* Mistakes: each is one with its last byte, and no earlier. */

#define LINE "GET / HTTP/1.1\r\n"
#define WRONG(s) {s, sizeof s - 1}

static const struct {
    const char *bytes;
    size_t len;
} mistakes[] = {
    WRONG("\n"), WRONG("\r\r"), WRONG("\rG"), WRONG("\r\n\n"), WRONG(" "), WRONG("\t"), WRONG("\0"), WRONG("\x80"),
    WRONG("\x16"), WRONG("\xef"), WRONG("{"), WRONG("("), WRONG(":"), WRONG("/"), WRONG("SSH-2.0-x\r"), WRONG("GET\r"),
    WRONG("GET\n"), WRONG("GET\t"), WRONG("GET/"), WRONG("G\x7f"), WRONG("G\xc3"), WRONG("GET  "), WRONG("GET \t"),
    WRONG("GET \r"), WRONG("GET \n"), WRONG("GET \0"), WRONG("GET /\r"), WRONG("GET /\n"), WRONG("GET /\t"),
    WRONG("GET /\0"), WRONG("GET /\x0b"), WRONG("GET /\x7f"), WRONG("GET /\x80"), WRONG("GET /a  "), WRONG("GET /a b"),
    WRONG("GET / h"), WRONG("GET / HTTP/2"), WRONG("GET / HTTP/0"), WRONG("GET / HTTP/11"), WRONG("GET / HTTP/1,"),
    WRONG("GET / HTTP/1.\r"), WRONG("GET / HTTP/1.x"), WRONG("GET / HTTP/1.10"), WRONG("GET / HTTP/1.1 "),
    WRONG("GET / HTTP/1.1\n"), WRONG("GET / HTTP/1.1\t"), WRONG("GET / HTTP/1.1\r\r"), WRONG("GET / HTTP/1.1\rH"),
    WRONG("GET / HTTP "), WRONG("GET / HTTP/ "), WRONG("GET / HTTPS"),
    WRONG("HTTP/2"), WRONG("HTTP/0"), WRONG("HTTP/1.1\r"), WRONG("HTTP/1.1  "), WRONG("HTTP/1.1\t"), WRONG("HTTP/1.1 0"),
    WRONG("HTTP/1.1 a"), WRONG("HTTP/1.1 20 "), WRONG("HTTP/1.1 20\r"), WRONG("HTTP/1.1 2000"), WRONG("HTTP/1.1 200\n"),
    WRONG("HTTP/1.1 200\t"), WRONG("HTTP/1.1 200 O\n"), WRONG("HTTP/1.1 200 O\0"), WRONG("HTTP/1.1 200 O\rK"),
    WRONG("HTTP/1.1 200 O\x7f"), WRONG("HTTP/1.1 200 O\x0b"), WRONG("HTTP/1.11"), WRONG("HTTP/1.1 -"),
    WRONG("http/"),
    WRONG(LINE "\n"), WRONG(LINE "\r\r"), WRONG(LINE "\rx"), WRONG(LINE " "), WRONG(LINE "\t"), WRONG(LINE ":"),
    WRONG(LINE "\0"), WRONG(LINE "Host "), WRONG(LINE "Host\t"), WRONG(LINE "Host\r"), WRONG(LINE "Host\n"),
    WRONG(LINE "Ho\0"), WRONG(LINE "Ho\x80"), WRONG(LINE "Ho\x7f"), WRONG(LINE "Ho/"), WRONG(LINE "\x80"),
    WRONG(LINE "Host: a\n"), WRONG(LINE "Host: a\rb"), WRONG(LINE "Host: a\r\r"), WRONG(LINE "Host: a\0"),
    WRONG(LINE "Host: a\x01"), WRONG(LINE "Host: a\x0b"), WRONG(LINE "Host: a\x0c"), WRONG(LINE "Host: a\x1b"),
    WRONG(LINE "Host: a\x1f"), WRONG(LINE "Host: a\x7f"), WRONG(LINE "Host:\n"), WRONG(LINE "Host:\0"),
    WRONG(LINE "Host: a\r\n "), WRONG(LINE "Host: a\r\n\t"), WRONG(LINE "Host: a\r\n\n"), WRONG(LINE "Host: a\r\n\rx"),
    WRONG(LINE "Transfer-Encoding "), WRONG(LINE "Transfer-Encoding\t"), WRONG(LINE "Transfer-Encoding\x0b"),
    WRONG(LINE "Transfer-Encoding:\x0b"), WRONG(LINE "Transfer-Encoding: chunked\x0b"), WRONG(LINE "Transfer-Encoding: chunked\0"),
    WRONG(LINE "Transfer-Encoding: \x0c"), WRONG(LINE "Transfer-Encoding:\n"), WRONG(LINE "Transfer-Encoding:\r\n "),
    WRONG(LINE "Transfer-Encoding\r"), WRONG(LINE "\x0b"),
    WRONG(LINE "X: x\n"), WRONG(LINE "X: x\rT"),
    WRONG(LINE "Content-Length "), WRONG(LINE "Content-Length: 5\0"), WRONG(LINE "Content-Length: 5\r\n\t"),
    WRONG(LINE "Content-Length: \n"), WRONG(LINE "Content-Length: 5\x0b"), WRONG(LINE "Content-Length: \x1f"),
};

/* Whether a byte may be where a head has been written so far. */
static bool may_be(const char *begun, int byte)
{
    char bytes[64];
    size_t len = strlen(begun);

    memcpy(bytes, begun, len);
    bytes[len] = (char)byte;
    return end_of(bytes, len + 1) == 0;
}

static void every_byte(void)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (int byte = 0; byte < 256; byte++) {
        bool in_token = byte != 0 && strchr(token, byte) != NULL, visible = byte > 0x20 && byte < 0x7f;
        bool text = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        char about[8];

        snprintf(about, sizeof about, "%d", byte);
        check(may_be("", byte) == (in_token || byte == '\r'), "the first byte", about);
        check(may_be("A", byte) == (in_token || byte == ' '), "a byte of a method", about);
        check(may_be("A ", byte) == visible, "the first byte of a target", about);
        check(may_be("A /", byte) == (visible || byte == ' '), "a byte of a target", about);
        check(may_be("A / HTTP/1.", byte) == (byte >= '0' && byte <= '9'), "a byte of a version", about);
        check(may_be("HTTP/1.1 ", byte) == (byte >= '1' && byte <= '9'), "the first byte of a status", about);
        check(may_be("HTTP/1.1 200 ", byte) == (text || byte == '\r'), "a byte of a reason", about);
        check(may_be(LINE, byte) == (in_token || byte == '\r'), "the first byte of a line", about);
        check(may_be(LINE "a", byte) == (in_token || byte == ':'), "a byte of a name", about);
        check(may_be(LINE "a:", byte) == (text || byte == '\r'), "the first byte of a value", about);
        check(may_be(LINE "a:b", byte) == (text || byte == '\r'), "a byte of a value", about);
        check(may_be(LINE "a:b\r", byte) == (byte == '\n'), "a byte behind CR", about);
    }
}

static void head_mistakes(void)
{
    every_byte();
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const char *bytes = mistakes[i].bytes;
        size_t len = mistakes[i].len;
        char shown[SHOWN], more[256];

        memcpy(more, bytes, len);
        memcpy(more + len, "\r\n\r\n", 4);
        for (size_t part = 0; part <= len + 4; part++)
            check(end_of(more, part) == (part < len ? 0 : -1), "wrong from its last byte on", bytes);
        show(more, len + 4, shown);
        check(strcmp(shown, "bad") == 0, shown, bytes);
    }
}

/* Fields. */

static void the_fields(void)
{
    char head[] = "GET / HTTP/1.0\r\nA: 1\r\nempty:\r\nblank: \t \r\nbb: \t2 \t 3\t \r\na:4\r\nempty-too:\r\n\r\n";
    char none[] = "GET / HTTP/1.0\r\n\r\n";
    struct http_request r;

    check(http_request_parse(&r, head, sizeof head - 1) == 0, "fields", "are taken");
    check(strcmp(http_field(r.fields, "a"), "1") == 0 && http_field_count(r.fields, "A") == 2, "http_field", "the first of two");
    check(strcmp(http_field(r.fields, "Empty"), "") == 0 && http_field_count(r.fields, "empty") == 1, "http_field", "an empty one");
    check(strcmp(http_field(r.fields, "BLANK"), "") == 0, "http_field", "a blank one");
    check(strcmp(http_field(r.fields, "bB"), "2 \t 3") == 0, "http_field", "white space inside");
    check(strcmp(http_field(r.fields, "empty-too"), "") == 0, "http_field", "the last one");
    check(http_field(r.fields, "b") == NULL && http_field(r.fields, "bbb") == NULL && http_field(r.fields, "") == NULL &&
          http_field(r.fields, "1") == NULL && http_field_count(r.fields, "c") == 0, "http_field", "none");
    check(http_request_parse(&r, none, sizeof none - 1) == 0 && http_field(r.fields, "a") == NULL &&
          http_field_count(r.fields, "a") == 0, "http_field", "of no fields");
}

/* Bodies. */

static uint32_t state = 2463534242u;

/* Marsaglia, Xorshift RNGs, 3. */
static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

struct taken {
    char *content;
    size_t len, used;
    bool bad;
};

/* Takes on, from a copy. */
static void take(struct http_body *b, const char *bytes, size_t len, struct taken *t)
{
    char *copy = copy_of(bytes, len);
    bool over = b->over;
    size_t used = 0;
    ssize_t got = http_body_take(b, copy, len, &used);

    check(got >= -1 && used <= len && got <= (ssize_t)used && (!over || used == 0), "http_body_take", "no more than there is");
    check(got < 0 || used == len || b->over, "http_body_take", "all of it, if it is not over");
    if (got > 0)
        memcpy(t->content + t->len, copy, (size_t)got);
    t->len += got > 0 ? (size_t)got : 0;
    t->used += used;
    t->bad = t->bad || got < 0;
    free(copy);
}

/* Two pieces, the first of `first` bytes, or single bytes if it is longer than all. */
static struct http_body take_cut(struct http_body b, const char *bytes, size_t len, size_t first, struct taken *t)
{
    *t = (struct taken){.content = malloc(len + 1)};
    if (t->content == NULL)
        exit(1);
    for (size_t i = 0; i < len && first > len; i++)
        take(&b, bytes + i, 1, t);
    if (first <= len) {
        take(&b, bytes, first, t);
        take(&b, bytes + first, 0, t);
        take(&b, bytes + first, len - first, t);
    }
    return b;
}

static void a_body(const char *about, struct http_body b, const char *bytes, size_t len, const char *content,
                   size_t content_len, size_t behind, bool over)
{
    for (size_t first = 0; first <= len + 1; first++) {
        struct taken t;
        struct http_body after = take_cut(b, bytes, len, first, &t);

        check(!t.bad && t.len == content_len && memcmp(t.content, content, content_len) == 0, about, "its content");
        check(t.used == len - behind, about, "its bytes");
        check(after.over == over, about, "its end");
        free(t.content);
    }
}

struct chunks {
    const char *about, *bytes;
    size_t len;
    const char *content;
    size_t content_len;
};

static const struct chunks chunks[] = {
    {"RFC 9112, 7.1", BYTES("4\r\nWiki\r\n7\r\npedia i\r\nB\r\nn \r\nchunks.\r\n0\r\n\r\n"), BYTES("Wikipedia in \r\nchunks.")},
    {"none", BYTES("0\r\n\r\n"), BYTES("")},
    {"zeroes", BYTES("000\r\n\r\n"), BYTES("")},
    {"zeroes before a size", BYTES("0000000000000000000000000000000003\r\nabc\r\n0\r\n\r\n"), BYTES("abc")},
    {"sizes in either case", BYTES("a\r\n0123456789\r\nA\r\n0123456789\r\n1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n"),
     BYTES("01234567890123456789" "0123456789012345678901234567890")},
    {"extensions", BYTES("1;a\r\nx\r\n1;a=b;c=\"d;\\\"e\"\r\ny\r\n1 \t;\ta = b\r\nz\r\n1;\r\n1\r\n0;last\r\n\r\n"), BYTES("xyz1")},
    {"another byte in an extension", BYTES("1;\x80\xff\r\nx\r\n0\r\n\r\n"), BYTES("x")},
    {"trailers", BYTES("1\r\nx\r\n0\r\nA: b\r\nC:\td\xff\r\n\r\n"), BYTES("x")},
    {"trailers that look like a head", BYTES("0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), BYTES("")},
    {"content that looks like framing", BYTES("5\r\n0\r\n\r\n\r\n7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"), BYTES("0\r\n\r\n\r\n0\r\n\r\n")},
    {"content of NUL", BYTES("2\r\n\0\0\r\n0\r\n\r\n"), BYTES("\0\0")},
};

/* Each is malformed with its last byte, and no earlier. */
static const struct {
    const char *bytes;
    size_t len;
} bad_chunks[] = {
    WRONG("0x"), WRONG("+"), WRONG("-"), WRONG(" "), WRONG("\t"), WRONG("\r"), WRONG("\n"), WRONG("\0"), WRONG("g"), WRONG(";"),
    WRONG("G"), WRONG("@"), WRONG("`"), WRONG("/"), WRONG(":"), WRONG("\x80"), WRONG("5\n"), WRONG("5 \r"), WRONG("5\t\r"),
    WRONG("5 5"), WRONG("5 \n"), WRONG("5 x"), WRONG("5x"), WRONG("5,"), WRONG("5\0"), WRONG("5\x0b"), WRONG("5\r\r"),
    WRONG("5\rx"), WRONG("5;a\n"), WRONG("5;a\0"), WRONG("5;\x7f"), WRONG("5;\x0b"), WRONG("5;a\r\r"), WRONG("5;a\rb"),
    WRONG("5;\"a\r\""), WRONG("1\r\nxx"), WRONG("1\r\nx\n"), WRONG("1\r\nx0"), WRONG("1\r\nx\r\r"), WRONG("1\r\nx\r0"),
    WRONG("1\r\nx\r\n\r"), WRONG("1\r\nx\r\n\n"), WRONG("0\r\n\n"), WRONG("0\r\n\rx"), WRONG("0\r\n\r\r"), WRONG("0\r\nA: b\n"),
    WRONG("0\r\nA: b\rc"), WRONG("0\r\nA: \0"), WRONG("0\r\nA: \x0b"), WRONG("0\r\n\x7f"), WRONG("0\r\nA: b\r\n\n"),
    WRONG("4000000000000001"), WRONG("5000000000000000"), WRONG("ffffffffffffffff"), WRONG("40000000000000000"),
    WRONG("10000000000000000"), WRONG("0004000000000000001"),
};

static void a_bad_chunk(const char *bytes, size_t len)
{
    for (size_t first = 0; first <= len; first++) {
        struct http_body b = http_body_in_chunks();
        char content[64], copy[64];

        memcpy(content, bytes, len);
        memcpy(copy, bytes, len);
        check(len == 0 || http_body_take(&b, copy, len - 1, NULL) >= 0, "is not bad yet", bytes);
        check(http_body_take(&b, copy + len - 1, 1, NULL) == -1, "is bad", bytes);
        check(http_body_take(&b, copy, 0, NULL) == -1 && http_body_take(&b, content, len, NULL) == -1, "stays bad", bytes);
        b = http_body_in_chunks();
        memcpy(copy, bytes, len);
        if (first < len)
            check(http_body_take(&b, copy, first, NULL) >= 0 && http_body_take(&b, copy + first, len - first, NULL) == -1,
                  "is bad in two pieces", bytes);
    }
}

/* So many bytes of framing are before the content, or the end. */
static bool takes_framing(const char *before, size_t filler, const char *behind)
{
    struct http_body b = http_body_in_chunks();
    char bytes[10000];
    size_t len = strlen(before), more = strlen(behind);

    memcpy(bytes, before, len);
    memset(bytes + len, 'x', filler);
    memcpy(bytes + len + filler, behind, more);
    return http_body_take(&b, bytes, len + filler + more, NULL) >= 0;
}

static void bounds(void)
{
    struct http_body b = http_body_in_chunks();
    char size[] = "4000000000000000\r\n", zeroes[8193];

    check(takes_framing("1;", 8188, "\r\na") && !takes_framing("1;", 8189, "\r\na"), "8192 bytes", "before content");
    check(takes_framing("1\r\na\r\n1;", 8186, "\r\na") && !takes_framing("1\r\na\r\n1;", 8187, "\r\na"), "8192 bytes", "between content");
    check(takes_framing("1\r\na\r\n0\r\n", 8183, "\r\n\r\n") && !takes_framing("1\r\na\r\n0\r\n", 8184, "\r\n\r\n"), "8192 bytes",
          "of trailers");
    memset(zeroes, '0', sizeof zeroes);
    check(http_body_take(&b, zeroes, 8192, NULL) == 0 && http_body_take(&b, zeroes, 1, NULL) == -1, "8192 bytes", "of a size");
    b = http_body_in_chunks();
    check(http_body_take(&b, size, strlen(size), NULL) == 0 && b.left == 1ULL << 62, "the largest chunk", "");
}

static void lengths(void)
{
    struct http_body raw = {0};

    a_body("a length", http_body_of_length(5), BYTES("helloGET"), BYTES("hello"), 3, true);
    a_body("a length of 0", http_body_of_length(0), BYTES("GET"), BYTES(""), 3, true);
    a_body("a length that is not there yet", http_body_of_length(7), BYTES("5\r\nab"), BYTES("5\r\nab"), 0, false);
    a_body("to the end", raw, BYTES("5\r\nhello"), BYTES("5\r\nhello"), 0, false);
    check(http_body_of_length(0).over && !http_body_of_length(1).over && !http_body_in_chunks().over && !raw.over, "over", "");
    check(raw.kind == HTTP_BODY_RAW, "all zeroes", "raw");
}

static void bodies(void)
{
    lengths();
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        const struct chunks *c = &chunks[i];
        char longer[512];

        a_body(c->about, http_body_in_chunks(), c->bytes, c->len, c->content, c->content_len, 0, true);
        memcpy(longer, c->bytes, c->len);
        memcpy(longer + c->len, "0\r\n\r\n", 5);
        a_body(c->about, http_body_in_chunks(), longer, c->len + 5, c->content, c->content_len, 5, true);
    }
    for (size_t i = 0; i < sizeof bad_chunks / sizeof *bad_chunks; i++)
        a_bad_chunk(bad_chunks[i].bytes, bad_chunks[i].len);
    bounds();
}

/* Chunks written, and read again. */

static void a_chunk(size_t len, const char *head)
{
    size_t room = HTTP_CHUNK_BEFORE + len + HTTP_CHUNK_BEHIND, at, used;
    char *frame = malloc(room);
    struct http_body b = http_body_in_chunks();
    bool same = true;

    if (frame == NULL)
        exit(1);
    for (size_t i = 0; i < len; i++)
        frame[HTTP_CHUNK_BEFORE + i] = (char)(i * 7 + i / 251);
    at = http_chunk_wrap(frame, len);
    check(at + strlen(head) == HTTP_CHUNK_BEFORE && memcmp(frame + at, head, strlen(head)) == 0, "http_chunk_wrap", head);
    check(memcmp(frame + room - 2, "\r\n", 2) == 0, "http_chunk_wrap: its end", head);
    check(http_body_take(&b, frame + at, room - at, &used) == (ssize_t)len && used == room - at && !b.over, "reads back", head);
    for (size_t i = 0; i < len; i++)
        same = same && frame[at + i] == (char)(i * 7 + i / 251);
    check(same, "reads the same", head);
    free(frame);
}

#define STREAM 40000

/* Returns how long it is. */
static size_t make_stream(char stream[STREAM], char content[STREAM], size_t *content_len)
{
    char frame[HTTP_CHUNK_BEFORE + 5000 + HTTP_CHUNK_BEHIND];
    size_t at = 0, begun;

    *content_len = 0;
    for (uint32_t n = below(12); n > 0 && at + sizeof frame + HTTP_LAST_CHUNK <= STREAM; n--) {
        size_t len = 1 + below(below(2) ? 20 : 5000);

        for (size_t i = 0; i < len; i++)
            frame[HTTP_CHUNK_BEFORE + i] = content[*content_len + i] = "\r\n0;a"[below(5)];
        *content_len += len;
        begun = http_chunk_wrap(frame, len);
        memcpy(stream + at, frame + begun, HTTP_CHUNK_BEFORE + len + HTTP_CHUNK_BEHIND - begun);
        at += HTTP_CHUNK_BEFORE + len + HTTP_CHUNK_BEHIND - begun;
    }
    http_chunk_last(stream + at);
    return at + HTTP_LAST_CHUNK;
}

static void a_stream(void)
{
    static char stream[STREAM], content[STREAM], got[STREAM];
    size_t content_len, len = make_stream(stream, content, &content_len), at = 0;
    struct taken t = {.content = got};
    struct http_body b = http_body_in_chunks();
    uint32_t most = below(2) ? 6 : 3000;

    while (at < len) {
        size_t piece = below(most);

        if (piece > len - at)
            piece = len - at;
        check(!b.over, "a stream", "its last byte is not there");
        take(&b, stream + at, piece, &t);
        at += piece;
    }
    check(!t.bad && b.over && t.used == len && t.len == content_len && memcmp(got, content, content_len) == 0, "a stream",
          "comes as it went");
}

static void chunks_written(void)
{
    char last[HTTP_LAST_CHUNK];

    a_chunk(1, "1\r\n");
    a_chunk(15, "f\r\n");
    a_chunk(16, "10\r\n");
    a_chunk(255, "ff\r\n");
    a_chunk(4096, "1000\r\n");
    a_chunk(65535, "ffff\r\n");
    a_chunk(65536, "10000\r\n");
    a_chunk(0xffffff, "ffffff\r\n");
    http_chunk_last(last);
    check(memcmp(last, "0\r\n\r\n", sizeof last) == 0, "http_chunk_last", "");
    for (int i = 0; i < 300; i++)
        a_stream();
}

/* The reader. */

static struct http_reader reader;
static int ends[2];

static void connect_ends(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0)
        exit(1);
    http_reader_reset(&reader);
}

static void close_ends(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void put(const char *bytes, size_t len)
{
    if (len > 0 && send(ends[0], bytes, len, 0) != (ssize_t)len)
        exit(1);
}

/* Whether these bytes, and no others, are in the kernel. */
static bool left(const char *bytes, size_t len)
{
    char there[16384];
    ssize_t got = recv(ends[1], there, sizeof there, 0);

    return len == 0 ? got < 0 && errno == EAGAIN : got == (ssize_t)len && memcmp(there, bytes, len) == 0;
}

static bool took(const char *bytes, size_t len)
{
    return reader.len == len && memcmp(reader.bytes, bytes, len) == 0 && reader.bytes[len] == '\0';
}

/* In two pieces, with something behind the second. */
static void a_reading(const struct message *m, size_t cut)
{
    connect_ends();
    put(m->bytes, cut);
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_MORE && took(m->bytes, cut), m->about, "a beginning is kept");
    check(left("", 0), m->about, "a beginning is taken");
    put(m->bytes + cut, m->len - cut);
    put(BYTES("\r\nbody\n"));
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_WHOLE && took(m->bytes, m->len), m->about, "a head");
    check(left(BYTES("\r\nbody\n")), m->about, "what is behind stays");
    close_ends();
}

static void two_heads(void)
{
    connect_ends();
    put(BYTES("GET / HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\nx"));
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_WHOLE && took(BYTES("GET / HTTP/1.0\r\n\r\n")), "two heads", "the first");
    http_reader_reset(&reader);
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_WHOLE && took(BYTES("GET /b HTTP/1.0\r\n\r\n")), "two heads", "the second");
    check(left(BYTES("x")), "two heads", "what is behind stays");
    close_ends();
}

static void byte_by_byte(const struct message *m)
{
    enum http_reader_status status = HTTP_READER_MORE;

    connect_ends();
    for (size_t i = 0; i < m->len; i++) {
        check(status == HTTP_READER_MORE, m->about, "is not whole");
        put(m->bytes + i, 1);
        status = http_reader_take(&reader, ends[1]);
    }
    check(status == HTTP_READER_WHOLE && took(m->bytes, m->len), m->about, "byte by byte");
    close_ends();
}

static void bad_readings(void)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        connect_ends();
        put(mistakes[i].bytes, mistakes[i].len);
        check(http_reader_take(&reader, ends[1]) == HTTP_READER_BAD, "the reader refuses", mistakes[i].bytes);
        close_ends();
    }
}

/* A head of that length. */
static void make_head(char *to, size_t len)
{
    static const char begin[] = "GET / HTTP/1.0\r\na: ";

    memset(to, 'x', len);
    memcpy(to, begin, sizeof begin - 1);
    memcpy(to + len - 4, "\r\n\r\n", 4);
}

static void long_readings(void)
{
    static char head[HTTP_HEAD_LONGEST + 2];

    for (size_t piece = 1; piece <= HTTP_HEAD_LONGEST; piece = piece * 3 + 1) {
        make_head(head, HTTP_HEAD_LONGEST);
        head[HTTP_HEAD_LONGEST] = 'b';
        connect_ends();
        for (size_t at = 0; at < HTTP_HEAD_LONGEST - piece; at += piece) {
            put(head + at, piece);
            check(http_reader_take(&reader, ends[1]) == HTTP_READER_MORE, "the longest head", "is not whole");
        }
        put(head + reader.len, HTTP_HEAD_LONGEST + 1 - reader.len);
        check(http_reader_take(&reader, ends[1]) == HTTP_READER_WHOLE && took(head, HTTP_HEAD_LONGEST) && left("b", 1),
              "the longest head", "is whole");
        close_ends();
    }
    make_head(head, HTTP_HEAD_LONGEST + 1);
    connect_ends();
    put(head, HTTP_HEAD_LONGEST + 1);
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_LONG && left("\n", 1), "a head too long", "by one byte");
    close_ends();
    connect_ends();
    for (size_t i = 0; i < HTTP_HEAD_LONGEST; i++)
        head[i] = "\r\n"[i % 2];
    put(head, HTTP_HEAD_LONGEST);
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_LONG, "empty lines", "are bounded");
    close_ends();
}

static void ends_of_file(void)
{
    connect_ends();
    shutdown(ends[0], SHUT_WR);
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_END && reader.len == 0, "end of file", "at once");
    close_ends();
    connect_ends();
    put("GET", 3);
    shutdown(ends[0], SHUT_WR);
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_MORE && http_reader_take(&reader, ends[1]) == HTTP_READER_END &&
          reader.len == 3, "end of file", "within a head");
    close_ends();
    connect_ends();
    close_ends();
    check(http_reader_take(&reader, ends[1]) == HTTP_READER_ERROR && errno == EBADF, "an error", "errno");
}

static void readings(void)
{
    for (size_t i = 0; i < HEADS; i++) {
        for (size_t cut = 0; cut < heads[i].len; cut++)
            a_reading(&heads[i], cut);
        byte_by_byte(&heads[i]);
    }
    two_heads();
    bad_readings();
    long_readings();
    ends_of_file();
}

static const struct {
    const char *name;
    void (*run)(void);
} groups[] = {
    {"heads", whole_heads}, {"mistakes", head_mistakes}, {"fields", the_fields}, {"bodies", bodies},
    {"chunks", chunks_written}, {"reader", readings},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (argc == 2 && strcmp(argv[1], groups[i].name) == 0) {
            groups[i].run();
            printf("%d checks, %d wrong\n", checks, wrong);
            return wrong != 0;
        }
    fprintf(stderr, "usage: http heads|mistakes|fields|bodies|chunks|reader\n");
    return 2;
}
