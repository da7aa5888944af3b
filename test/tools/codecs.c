/*
 * codecs: what the pure parsers and writers of lib/ make of given bytes.
 *
 *     codecs           prints what is wrong, a line each; 0 only if nothing is
 *
 * The texts of IPv6 addresses are those of RFC 5952, section 4 and appendix A.
 */
#include "../../lib/addr.h"
#include "../../lib/cidr.h"
#include "../../lib/proto/new_line.h"
#include "../../lib/text.h"

#include <stdio.h>
#include <string.h>

static int checks, wrong;

static void check(bool good, const char *what, const char *about)
{
    checks++;
    if (good)
        return;
    wrong++;
    printf("wrong: %s: %s\n", what, about);
}

static void numbers(void)
{
    check(text_number("0", 10) == 0, "text_number", "0");
    check(text_number("65535", 65535) == 65535, "text_number", "the largest");
    check(text_number("65536", 65535) == -1, "text_number", "one too many");
    check(text_number("99999999999999999999", 2147483647) == -1, "text_number", "very long");
    check(text_number("", 10) == -1, "text_number", "empty");
    check(text_number("+1", 10) == -1, "text_number", "a sign");
    check(text_number("1 ", 10) == -1, "text_number", "a space behind");
}

static void texts(void)
{
    char buffer[512], small[5];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "%d %u %l %x %s%%", -5, 7u, -9223372036854775807LL - 1, 0xbeefu, "s");
    check(strcmp(buffer, "-5 7 -9223372036854775808 beef s%") == 0, "text_add", buffer);
    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "%e", "a b\n\x7f\xff\\\"=");
    check(strcmp(buffer, "a\\x20b\\x0a\\x7f\\xff\\x5c\\x22=") == 0, "escapes", buffer);
    memset(small, 'x', sizeof small);
    text_init(&t, small, sizeof small);
    text_add(&t, "%s", "12345678");
    check(t.cut && strcmp(small, "1234") == 0, "a text that does not fit", small);
    memset(buffer, 'a', 200);
    buffer[200] = '\0';
    char long_text[512];
    text_init(&t, long_text, sizeof long_text);
    text_add(&t, "%e", buffer);
    check(t.len == TEXT_PEER_MAX, "a peer's text is capped", long_text);
}

static void blocks(void)
{
    static const struct {
        const char *list, *host;
        bool has;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", true}, {"10.0.0.0/8", "11.0.0.0", false},
        {"10.1.2.3/8", "10.9.9.9", true}, {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true}, {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false}, {"0.0.0.0/0", "255.1.2.3", true}, {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true}, {"::/0", "192.0.2.1", false}, {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false}, {"::1", "::1", true}, {"::1/127", "::", true},
        {"10.0.0.0/8,::1", "::1", true}, {"10.0.0.0/8,::1,192.0.2.1/32", "192.0.2.1", true},
        {"::ffff:10.0.0.0/104", "10.2.3.4", true}, {"::ffff:10.0.0.0/104", "11.2.3.4", false},
    };
    static const char *const bad[] = {
        "", ",", "10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/-1",
        "10.0.0.0/8 ", "localhost", "10.0.0.0/8/8", "::ffff:10.0.0.0/1x",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/128",
    };
    struct addr a;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        addr_numeric(&a, cases[i].host, 80);
        check(cidr_list_valid(cases[i].list), "cidr_list_valid", cases[i].list);
        check(cidr_list_has(cases[i].list, &a) == cases[i].has, cases[i].list, cases[i].host);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(!cidr_list_valid(bad[i]), "a list that is none", bad[i]);
}

static void addresses(void)
{
    static const char *const as_written[][2] = {
        {"127.0.0.1", "127.0.0.1"}, {"2001:0db8::0001", "2001:db8::1"},
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"}, {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"}, {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:DB8::A", "2001:db8::a"}, {"::", "::"}, {"::1", "::1"}, {"1::", "1::"},
        {"fe80::1234:5678:9abc:def0", "fe80::1234:5678:9abc:def0"},
    };
    char out[ADDR_TEXT];
    struct addr a;

    for (size_t i = 0; i < sizeof as_written / sizeof *as_written; i++) {
        check(addr_numeric(&a, as_written[i][0], 80) == 0, "addr_numeric", as_written[i][0]);
        check(strcmp(addr_host_text(&a, out), as_written[i][1]) == 0, as_written[i][0], out);
    }
    check(addr_numeric(&a, "::ffff:192.0.2.1", 80) == 0, "addr_numeric", "mapped");
    addr_unmap(&a);
    check(strcmp(addr_text(&a, out), "192.0.2.1:80") == 0, "addr_unmap", out);
    check(addr_numeric(&a, "localhost", 80) != 0, "addr_numeric", "a name");
}

static void splits(void)
{
    static const struct {
        const char *text, *host;
        long port, port_or;
    } all[] = {
        {"a:1", "a", 1, 1}, {"[::1]:65535", "::1", 65535, 65535}, {"a", "a", -1, 9}, {"[::1]", "::1", -1, 9},
        {"a:", NULL, -1, -1}, {":1", NULL, -1, -1}, {"::1", NULL, -1, -1}, {"[::1", NULL, -1, -1},
        {"[]:1", NULL, -1, -1}, {"a:65536", NULL, -1, -1}, {"a b:1", NULL, -1, -1}, {"a/b:1", NULL, -1, -1},
        {"", NULL, -1, -1}, {"[a", NULL, -1, -1}, {"1.2.3.4:0", "1.2.3.4", 0, 0},
    };
    char host[ADDR_HOST];

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        check(addr_split(all[i].text, host) == all[i].port, "addr_split", all[i].text);
        check(addr_split_or(all[i].text, host, 9) == all[i].port_or, "addr_split_or", all[i].text);
        if (all[i].host != NULL)
            check(strcmp(host, all[i].host) == 0, "the host", all[i].text);
    }
}

static bool parse(const char *text, struct new_line *line)
{
    return new_line_parse(text, strlen(text), line) == 0;
}

static void lines(void)
{
    static const char *const malformed[] = {
        "", "[", "[]", "[]x", "PING", "[PI NG]", "[PONG]x", "[PONG] ", "[PONG] x", "[PONG] =x", "[HELLO]  v=1",
        "[HELLO] v=1 ", "[HELLO] v=", "[HELLO] v=-1", "[HELLO] name=", "[HELLO] name=a/b", "[HELLO] port=65536",
        "[HELLO] v=1\r", "[NEW]", "[NEW]x", "[NEW]1 id=12", "[NEW]1 id=0123456789abcdef0123456789abcdeg",
        "[NEW]1 ", "[PUBLIC]", "[PUBLIC] ", "[PUBLIC] 80", "[PUBLIC] :80", "[PUBLIC] a:x", "[ERROR]",
        "[DATA] id=0123456789abcdef0123456789abcdef0", "[X\x01]", "[caf\xc3\xa9]",
        "[HELLO] name=0123456789012345678901234567890123456789012345678901234567890123X",
    };
    struct new_line l;

    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        check(!parse(malformed[i], &l), "is malformed", malformed[i]);
    check(parse("[HELLO] v=1 name=web.1 port=80 want=0 later=x", &l) && l.word == NEW_HELLO && l.version == 1 &&
          strcmp(l.name, "web.1") == 0 && l.port == 80 && l.want == 0, "[HELLO]", "all keys");
    check(parse("[HELLO]", &l) && l.version == -1 && l.port == -1 && l.name[0] == '\0', "[HELLO]", "no keys");
    check(parse("[LATER] what\\ever", &l) && l.word == NEW_UNKNOWN, "an unknown word", "is ignored");
    check(parse("[NEW]62514 id=0123456789ABCDEFfedcba9876543210 from=[2001:db8::1]:5", &l) && l.port == 62514 &&
          l.has_id && l.id[7] == 0xef && l.id[15] == 0x10 && addr_port(&l.from) == 5, "[NEW]", "an id in both cases");
    check(parse("[NEW]relay.example:1", &l) && strcmp(l.host, "relay.example") == 0 && !l.has_id, "[NEW]", "a host");
    check(parse("[NEW]1 from=[fe80::1%2]:5", &l) && l.from.len == 0, "[NEW]", "a client that is not understood");
    check(parse("[PUBLIC] [::1]:80 x=y", &l) && strcmp(l.host, "::1") == 0 && l.port == 80, "[PUBLIC]", "IPv6");
    check(parse("[ERROR] full no port is free", &l) && strcmp(l.code, "full") == 0 &&
          strcmp(l.text, "no port is free") == 0, "[ERROR]", "code and text");
    check(parse("[ERROR] full", &l) && strcmp(l.code, "full") == 0 && l.text[0] == '\0', "[ERROR]", "code alone");
    check(new_line_parse("[PING]\0x", 8, &l) != 0, "a NUL", "is malformed");
}

int main(void)
{
    numbers();
    texts();
    addresses();
    blocks();
    splits();
    lines();
    printf("%d checks, %d wrong\n", checks, wrong);
    return wrong != 0;
}
