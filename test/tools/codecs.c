/*
 * codecs: what the pure parsers and writers of lib/ make of given bytes.
 *
 *     codecs           prints what is wrong, a line each; 0 only if nothing is
 *
 * The texts of IPv6 addresses are those of RFC 5952, section 4 and appendix A;
 * the hashes those of the examples for FIPS 180-4, and of RFC 4231; base64's
 * those of RFC 4648, section 10, and RFC 7617, section 2; the PROXY
 * headers those of proxy-protocol.txt, sections 2.1 and 2.2.
 */
#include "check.h"

#include "../../lib/addr.h"
#include "../../lib/base64.h"
#include "../../lib/cidr.h"
#include "../../lib/key.h"
#include "../../lib/proto/new_line.h"
#include "../../lib/proto/new_proof.h"
#include "../../lib/proto/ptth_path.h"
#include "../../lib/proto/tlsrelay_line.h"
#include "../../lib/sha256.h"
#include "../../lib/proxy.h"
#include "../../lib/text.h"

#include <stdio.h>
#include <string.h>

static void numbers(void)
{
    check(text_number("0", 10) == 0, "text_number", "0");
    check(text_number("65535", 65535) == 65535, "text_number", "the largest");
    check(text_number("65536", 65535) == -1, "text_number", "one too many");
    check(text_number("99999999999999999999", 2147483647) == -1, "text_number", "very long");
    check(text_number("3", 3) == 3 && text_number("4", 3) == -1 && text_number("1", 0) == -1, "text_number",
          "a largest number of one digit");
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
        check(a.u.any.sa_family == AF_INET || a.u.in6.sin6_flowinfo == 0, "no flow label", as_written[i][0]);
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
        {"[a b:c]:1", NULL, -1, -1}, {"[a]:b]:80", NULL, -1, -1}, {"[\x1b:]:1", NULL, -1, -1}, {"[127.0.0.1%lo]:1", NULL, -1, -1},
        {"[fe80::1%br-lan.7]:1", "fe80::1%br-lan.7", 1, 1}, {"[fe80::1%a/b]:1", NULL, -1, -1},
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

static bool is_hex(const unsigned char *bytes, size_t len, const char *wanted)
{
    char hex[2 * SHA256_BYTES + 1];
    struct text t;

    text_init(&t, hex, sizeof hex);
    text_hex(&t, bytes, len);
    return strcmp(hex, wanted) == 0;
}

/* However the message is cut into pieces. */
static void hash(const char *message, size_t len, const char *wanted)
{
    static const size_t pieces[] = {1, 3, 63, 64, 65, 1000003};
    unsigned char digest[SHA256_BYTES];

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct sha256 s;

        sha256_init(&s);
        for (size_t at = 0; at < len; at += pieces[i])
            sha256_add(&s, message + at, len - at < pieces[i] ? len - at : pieces[i]);
        sha256_end(&s, digest);
        check(is_hex(digest, sizeof digest, wanted), "SHA-256", wanted);
    }
}

static void hashes(void)
{
    static char million[1000000];

    memset(million, 'a', sizeof million);
    hash("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    hash("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    hash(million, sizeof million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void mac(int key_byte, size_t key_len, const char *message, size_t len, const char *wanted)
{
    unsigned char key[131], mac[SHA256_BYTES];

    for (size_t i = 0; i < key_len; i++)
        key[i] = (unsigned char)(key_byte != 0 ? (size_t)key_byte : i + 1);
    hmac_sha256(key, key_len, message, len, mac);
    check(is_hex(mac, strlen(wanted) / 2, wanted), "HMAC-SHA256", wanted);
}

/* RFC 4231, 4.2 to 4.8. */
static void macs(void)
{
    static const char larger_key[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    static const char larger[] = "This is a test using a larger than block-size key and a larger than block-size data. "
                                 "The key needs to be hashed before being used by the HMAC algorithm.";
    unsigned char digest[SHA256_BYTES], other[SHA256_BYTES];
    char fifty[50];

    mac(0x0b, 20, "Hi There", 8, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest);
    check(is_hex(digest, sizeof digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
          "HMAC-SHA256", "Jefe");
    memset(fifty, 0xdd, sizeof fifty);
    mac(0xaa, 20, fifty, sizeof fifty, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    memset(fifty, 0xcd, sizeof fifty);
    mac(0, 25, fifty, sizeof fifty, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    mac(0x0c, 20, "Test With Truncation", 20, "a3b6167473100ee06e0c796c2955552b");
    mac(0xaa, 131, larger_key, sizeof larger_key - 1, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    mac(0xaa, 131, larger, sizeof larger - 1, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    for (int i = 0; i < SHA256_BYTES * 8; i++) {
        memcpy(other, digest, sizeof other);
        other[i / 8] ^= (unsigned char)(1 << i % 8);
        check(!sha256_equal(digest, other), "sha256_equal", "one bit");
    }
    check(sha256_equal(digest, digest), "sha256_equal", "itself");
}

#define KEY_16 "0123456789abcdef"
#define TIMES_8(x) x x x x x x x x

static const char *parse_key(struct key *k, const char *text)
{
    static char line[1024];

    text_copy(line, sizeof line, text);
    return key_parse(k, line);
}

static void base64(void)
{
    static const char *const as_written[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"}, {"Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"test:123\xc2\xa3", "dGVzdDoxMjPCow=="}, {"\xfb\xff\xbf", "+/+/"},
    };
    char text[64];

    for (size_t i = 0; i < sizeof as_written / sizeof *as_written; i++) {
        size_t len = strlen(as_written[i][0]);

        check(base64_put(text, as_written[i][0], len) == BASE64_SIZE(len), "base64_put", "its length");
        check(strcmp(text, as_written[i][1]) == 0, "base64_put", text);
    }
}

static void key_lines(void)
{
    static const char *const bad[] = {
        "cam", "cam ", "cam 0123456789abcde", "a/b " KEY_16, "cam " KEY_16 " ports", "cam " KEY_16 " ports=",
        "cam " KEY_16 " ports=0", "cam " KEY_16 " ports=65536", "cam " KEY_16 " ports=9-8", "cam " KEY_16 " ports=1,",
        "cam " KEY_16 " ports=1,,2", "cam " KEY_16 " ports=1 ports=2", "cam " KEY_16 " max=0", "cam " KEY_16 " max=x",
        "cam " KEY_16 " max=1 max=2", "cam " KEY_16 " role=client role=server", "cam " KEY_16 " role=server role=server",
        "cam " KEY_16 " from=x", "cam " KEY_16 " to=", "cam " KEY_16 " to=a,", "cam " KEY_16 " role=x",
        "cam " KEY_16 " later=1", "cam 0123456789abcde\xff", "cam " KEY_16 "\r",
        "cam " TIMES_8(KEY_16) "x", TIMES_8("12345678") "x " KEY_16,
    };
    static const char *const empty[] = {"", " ", "\t ", "#", ("# cam " KEY_16), "#cam"};
    struct addr a;
    struct key k;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(parse_key(&k, bad[i]) != NULL, "is no line of a key file", bad[i]);
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        check(parse_key(&k, empty[i]) == NULL && k.name == NULL, "an empty line", empty[i]);
    check(parse_key(&k, "cam " KEY_16) == NULL && strcmp(k.name, "cam") == 0 && strcmp(k.secret, KEY_16) == 0 &&
          key_allows_port(&k, 1) && k.max == 0 && !k.client, "a key", "alone");
    check(parse_key(&k, TIMES_8("12345678") "\t " TIMES_8(KEY_16) "  ports=80,8000-8010,65535 max=7 role=server "
                    "from=192.0.2.0/24 to=a,b.c ") == NULL && k.max == 7, "a key", "with everything");
    check(key_allows_port(&k, 80) && key_allows_port(&k, 8000) && key_allows_port(&k, 8010) &&
          key_allows_port(&k, 65535), "ports=", "those in it");
    check(!key_allows_port(&k, 79) && !key_allows_port(&k, 7999) && !key_allows_port(&k, 8011), "ports=", "others");
    addr_numeric(&a, "192.0.2.9", 1);
    check(key_allows_from(&k, &a), "from=", "in it");
    addr_numeric(&a, "192.0.3.9", 1);
    check(!key_allows_from(&k, &a), "from=", "not in it");
    check(parse_key(&k, "c " KEY_16 " role=client") == NULL && k.client, "role=client", "");
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
        "[HELLO] port=000080", "[HELLO] nonce=0123", "[HELLO] nonce=0123456789abcdef0123456789abcdeg",
        "[PROOF]", "[PROOF] ", "[PROOF] " KEY_16, "[PROOF]" KEY_16 KEY_16 KEY_16 KEY_16,
        "[PROOF] " KEY_16 KEY_16 KEY_16 KEY_16 "0", "[PROOF] " KEY_16 KEY_16 KEY_16 "0123456789abcde ",
        "[DATA] id=" KEY_16 KEY_16 " proof=" KEY_16, "[AUTH] nonce=" KEY_16 KEY_16 " proof=",
        "[HELLO] ready=", "[HELLO] ready=-1", "[HELLO] ready=65536", "[READY]id=" KEY_16 KEY_16, "[READY] id=" KEY_16,
        "[READY] ", "[START]x", "[START] from",
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
    check(parse("[HELLO] ready=8", &l) && l.ready == 8, "[HELLO]", "ready=");
    check(parse("[HELLO]", &l) && l.ready == -1, "[HELLO]", "no ready=");
    check(parse("[READY] later=x id=0123456789ABCDEFfedcba9876543210", &l) && l.word == NEW_READY && l.has_id &&
          l.id[0] == 0x01 && l.id[15] == 0x10, "[READY]", "an id in both cases");
    check(parse("[READY] ready=x from=x", &l) && !l.has_id && l.ready == -1, "[READY]", "other words' keys are ignored");
    check(parse("[START] from=[2001:db8::1]:5 id=x", &l) && l.word == NEW_START && addr_port(&l.from) == 5 &&
          !l.has_id, "[START]", "a client");
    check(parse("[START]", &l) && l.from.len == 0, "[START]", "no client");
    check(parse("[START] from=[fe80::1%2]:5", &l) && l.from.len == 0, "[START]", "a client that is not understood");
    check(parse("[NEW]relay.example:1", &l) && strcmp(l.host, "relay.example") == 0 && !l.has_id, "[NEW]", "a host");
    check(parse("[NEW]1 from=[fe80::1%2]:5", &l) && l.from.len == 0, "[NEW]", "a client that is not understood");
    check(parse("[PUBLIC] [::1]:80 x=y", &l) && strcmp(l.host, "::1") == 0 && l.port == 80, "[PUBLIC]", "IPv6");
    check(parse("[HELLO] v=1 name=a port=080 nonce=0123456789ABCDEF0123456789abcdef", &l) && l.port == 80 &&
          strcmp(l.port_text, "080") == 0 && strcmp(l.nonce, "0123456789ABCDEF0123456789abcdef") == 0, "[HELLO]",
          "port and nonce are kept as they were sent");
    check(parse("[HELLO]", &l) && strcmp(l.port_text, "0") == 0 && l.nonce[0] == '\0', "[HELLO]", "no port, no nonce");
    check(parse("[PROOF] " KEY_16 KEY_16 KEY_16 "0123456789ABCDEF", &l) && l.has_proof && l.proof[31] == 0xef,
          "[PROOF]", "64 digits");
    check(parse("[ERROR] full no port is free", &l) && strcmp(l.code, "full") == 0 &&
          strcmp(l.text, "no port is free") == 0, "[ERROR]", "code and text");
    check(parse("[ERROR] full", &l) && strcmp(l.code, "full") == 0 && l.text[0] == '\0', "[ERROR]", "code alone");
    check(new_line_parse("[PING]\0x", 8, &l) != 0, "a NUL", "is malformed");
}

/* Computed by openssl dgst -sha256 -hmac. */
static void tlsrelay_lines(void)
{
    static const struct {
        const char *text;
        int word;               /* -1: it is none */
        const char *host;
        unsigned port;
    } cases[] = {
        {"public_listener relay.example.org:12101\r", TLSRELAY_PUBLIC, "relay.example.org", 12101},
        {"public_listener [2001:db8::1]:1\r", TLSRELAY_PUBLIC, "2001:db8::1", 1},
        {"reverse_listener 203.0.113.5:65535\r", TLSRELAY_REVERSE, "203.0.113.5", 65535},
        {"new_connection\r", TLSRELAY_CLIENT, NULL, 0},
        {"no_available_listeners\r", TLSRELAY_FULL, NULL, 0},
        {"", -1, NULL, 0}, {"\r", -1, NULL, 0}, {"new_connection", -1, NULL, 0},
        {"new_connection\r\r", -1, NULL, 0}, {"new_connection \r", -1, NULL, 0},
        {"reverse_listener\r", -1, NULL, 0}, {"reverse_listener relay.example.org\r", -1, NULL, 0},
        {"reverse_listener relay.example.org:0\r", -1, NULL, 0},
        {"reverse_listener relay.example.org:65536\r", -1, NULL, 0}, {"reverse_listener :80\r", -1, NULL, 0},
        {"public_listener 2001:db8::1:80\r", -1, NULL, 0}, {"public_listener a b:80\r", -1, NULL, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tlsrelay_line l;
        bool taken = tlsrelay_line_parse(cases[i].text, strlen(cases[i].text), &l) == 0;

        check(taken == (cases[i].word >= 0), "tlsrelay_line_parse", cases[i].text);
        if (!taken)
            continue;
        check((int)l.word == cases[i].word, "its word", cases[i].text);
        if (cases[i].host != NULL)
            check(strcmp(l.host, cases[i].host) == 0 && l.port == cases[i].port, "its address", cases[i].text);
    }
}

static void ptth_paths(void)
{
#define ID "00112233445566778899aabbCCDDEEFF"
#define NAME_64 "abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
    static const char *const bad[] = {
        "", "/", "*", "listen/cam/80", "/listen", "/listen/", "/listen/cam", "/listen/cam/", "/listen//80", "/listen/cam/80/",
        "/listen/cam/80/x", "/listen/cam/80?x", "/listen/c%61m/80", "/Listen/cam/80", "//listen/cam/80", "/listen /cam/80",
        "/listen/" NAME_64 "x/80", "/listen/cam/" NAME_64 "x", "/connect/cam", "/accept/", "/accept/" ID "0", "/accept/0" ID,
        "/accept/" ID "/", "/accept/cam/80", "/upstream/0011223344556677889 9aabbccddeeff", "/x/" ID, "/listen/cam/../80",
    };
    static const char id[] = "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
    struct ptth_path p;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(ptth_path_parse(&p, bad[i]) != 0, "no path", bad[i]);
    check(ptth_path_parse(&p, "/listen/cam.web/80") == 0 && p.endpoint == PTTH_LISTEN && !p.by_id, "listen", "");
    check(strcmp(p.server, "cam.web") == 0 && strcmp(p.service, "cam.web/80") == 0, "listen", "its names");
    check(ptth_path_parse(&p, "/connect/" NAME_64 "/" NAME_64) == 0 && p.endpoint == PTTH_CONNECT && !p.by_id &&
          strcmp(p.service, NAME_64 "/" NAME_64) == 0, "connect", "the longest");
    check(ptth_path_parse(&p, "/accept/" ID) == 0 && p.endpoint == PTTH_ACCEPT && p.by_id &&
          memcmp(p.id, id, sizeof p.id) == 0, "accept", ID);
    check(ptth_path_parse(&p, "/upstream/" ID) == 0 && p.endpoint == PTTH_UPSTREAM && p.by_id, "upstream", ID);
    check(ptth_path_parse(&p, "/downstream/" ID) == 0 && p.endpoint == PTTH_DOWNSTREAM && p.by_id, "downstream", ID);
}

static void proofs(void)
{
    static const char key[] = "a key of 16 byte", server[] = "00112233445566778899aabbccddeeff",
                      relay[] = "ffeeddccbbaa99887766554433221100";
    unsigned char proof[SHA256_BYTES];

    new_proof_relay(key, server, relay, proof);
    check(is_hex(proof, sizeof proof, "2eb1b083ccda4229c702c6ecde48a73f4d785c6c6ce8ae127fb4cbb59f37506d"), "the relay's proof", "");
    new_proof_server(key, relay, server, "cam.web", "8080", proof);
    check(is_hex(proof, sizeof proof, "d099f3d13f1db4dcb5a7912e3b90841c292b47ea026d9ea67bdd2fbb2b77b4a2"), "the server's proof", "");
    new_proof_data(key, server, proof);
    check(is_hex(proof, sizeof proof, "9b402a5f8970b39a476919431786f4b13de9fea2468987f12e53ce0afa2b2855"), "a data connection's proof", "");
}

/* PROXY headers. */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IN4_BLOCK "\xc0\0\2\x09\xc6\x33\x64\1\x9c\x42\1\xbb"    /* 192.0.2.9:40002 to 198.51.100.1:443 */
#define DB8 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define BYTES(s) s, sizeof s - 1

struct proxy_case {
    const char *about, *bytes;
    size_t len;
    const char *source, *destination;   /* NULL: the connection's own */
};

static const struct proxy_case good_headers[] = {
    {"TCP4", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 40002 443\r\n"), "192.0.2.9:40002", "198.51.100.1:443"},
    {"TCP4, the longest", BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
     "255.255.255.255:65535", "255.255.255.255:65535"},
    {"TCP4, port 0", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 0 0\r\n"), "192.0.2.9:0", "198.51.100.1:0"},
    {"TCP6", BYTES("PROXY TCP6 2001:db8::9 2001:db8::1 40002 443\r\n"), "[2001:db8::9]:40002", "[2001:db8::1]:443"},
    {"TCP6, the longest", BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"TCP6 with IPv4", BYTES("PROXY TCP6 ::ffff:192.0.2.9 2001:db8::1 1 2\r\n"), "192.0.2.9:1", "[2001:db8::1]:2"},
    {"UNKNOWN", BYTES("PROXY UNKNOWN\r\n"), NULL, NULL},
    {"UNKNOWN and more", BYTES("PROXY UNKNOWN what ever\r\n"), NULL, NULL},
    {"UNKNOWN, 107 bytes", BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), NULL, NULL},
    {"v2 IPv4", BYTES(SIGNATURE "\x21\x11\0\x0c" IN4_BLOCK), "192.0.2.9:40002", "198.51.100.1:443"},
    {"v2 IPv6", BYTES(SIGNATURE "\x21\x21\0\x24" DB8 "\x09" DB8 "\1" "\x9c\x42\1\xbb"),
     "[2001:db8::9]:40002", "[2001:db8::1]:443"},
    {"v2 IPv6 with IPv4", BYTES(SIGNATURE "\x21\x21\0\x24" MAPPED "\xc0\0\2\x09" DB8 "\1" "\x9c\x42\1\xbb"),
     "192.0.2.9:40002", "[2001:db8::1]:443"},
    {"v2 with TLVs", BYTES(SIGNATURE "\x21\x11\0\x15" IN4_BLOCK "\1\0\2h2" "\4\0\1\0"), "192.0.2.9:40002", "198.51.100.1:443"},
    {"v2 with a CRC32C that is wrong", BYTES(SIGNATURE "\x21\x11\0\x13" IN4_BLOCK "\3\0\4\1\2\3\4"),
     "192.0.2.9:40002", "198.51.100.1:443"},
    {"v2 unix", BYTES(SIGNATURE "\x21\x31\0\xd8" HUNDRED "12345678" HUNDRED "12345678"), NULL, NULL},
    {"v2 unspecified", BYTES(SIGNATURE "\x21\0\0\0"), NULL, NULL},
    {"v2 unspecified, and bytes", BYTES(SIGNATURE "\x21\0\0\2xy"), NULL, NULL},
    {"v2 IPv4 of no transport", BYTES(SIGNATURE "\x21\x10\0\x0c" IN4_BLOCK), NULL, NULL},
    {"v2 LOCAL", BYTES(SIGNATURE "\x20\0\0\0"), NULL, NULL},
    {"v2 LOCAL with addresses", BYTES(SIGNATURE "\x20\x11\0\x0c" IN4_BLOCK), NULL, NULL},
    {"v2 LOCAL of any family", BYTES(SIGNATURE "\x20\xff\0\1x"), NULL, NULL},
};

static const struct proxy_case bad_headers[] = {
    {"another protocol", BYTES("GET / HTTP/1.1\r\n"), NULL, NULL},
    {"lower case", BYTES("proxy TCP4 192.0.2.9 198.51.100.1 1 2\r\n"), NULL, NULL},
    {"TCP5", BYTES("PROXY TCP5 192.0.2.9 198.51.100.1 1 2\r\n"), NULL, NULL},
    {"no protocol", BYTES("PROXY \r\n"), NULL, NULL},
    {"UNKNOWNS", BYTES("PROXY UNKNOWNS\r\n"), NULL, NULL},
    {"a newline alone", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 1 2\n"), NULL, NULL},
    {"a newline within", BYTES("PROXY UNKNOWN a\nb\r\n"), NULL, NULL},
    {"a return alone", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 1 2\rx"), NULL, NULL},
    {"a NUL", BYTES("PROXY UNKNOWN\0\r\n"), NULL, NULL},
    {"two spaces", BYTES("PROXY TCP4  192.0.2.9 198.51.100.1 1 2\r\n"), NULL, NULL},
    {"a space behind", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 1 2 \r\n"), NULL, NULL},
    {"a port too few", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 1\r\n"), NULL, NULL},
    {"a port too large", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 1 65536\r\n"), NULL, NULL},
    {"a port with a zero before it", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 01 2\r\n"), NULL, NULL},
    {"a port with a sign", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 +1 2\r\n"), NULL, NULL},
    {"no port", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1  2\r\n"), NULL, NULL},
    {"a name", BYTES("PROXY TCP4 localhost 198.51.100.1 1 2\r\n"), NULL, NULL},
    {"256", BYTES("PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n"), NULL, NULL},
    {"IPv6 in TCP4", BYTES("PROXY TCP4 192.0.2.9 ::1 1 2\r\n"), NULL, NULL},
    {"IPv4 in TCP6", BYTES("PROXY TCP6 192.0.2.9 ::1 1 2\r\n"), NULL, NULL},
    {"108 bytes", BYTES("PROXY UNKNOWN " TEN TEN TEN TEN TEN TEN TEN TEN TEN "12\r\n"), NULL, NULL},
    {"no end", BYTES("PROXY UNKNOWN " HUNDRED), NULL, NULL},
    {"version 1 in version 2's clothes", BYTES(SIGNATURE "\x11\x11\0\x0c" IN4_BLOCK), NULL, NULL},
    {"version 3", BYTES(SIGNATURE "\x31\x11\0\x0c" IN4_BLOCK), NULL, NULL},
    {"another command", BYTES(SIGNATURE "\x22\x11\0\x0c" IN4_BLOCK), NULL, NULL},
    {"another family", BYTES(SIGNATURE "\x21\x41\0\x0c" IN4_BLOCK), NULL, NULL},
    {"UDP", BYTES(SIGNATURE "\x21\x12\0\x0c" IN4_BLOCK), NULL, NULL},
    {"too short for IPv4", BYTES(SIGNATURE "\x21\x11\0\x0b" IN4_BLOCK), NULL, NULL},
    {"too short for IPv6", BYTES(SIGNATURE "\x21\x21\0\x0c" IN4_BLOCK), NULL, NULL},
    {"too short for unix", BYTES(SIGNATURE "\x21\x31\0\x0c" IN4_BLOCK), NULL, NULL},
    {"a TLV that does not fit", BYTES(SIGNATURE "\x21\x11\0\x11" IN4_BLOCK "\1\0\3h2"), NULL, NULL},
    {"half a TLV", BYTES(SIGNATURE "\x21\x11\0\x0e" IN4_BLOCK "\1\0"), NULL, NULL},
    {"4097 bytes", BYTES(SIGNATURE "\x21\x11\x0f\xf1" IN4_BLOCK), NULL, NULL},
    {"65551 bytes of LOCAL", BYTES(SIGNATURE "\x20\0\xff\xff"), NULL, NULL},
    {"a signature with a mistake", BYTES("\r\n\r\n\0\r\nQUIX"), NULL, NULL},
};

static enum proxy_status parse_header(const char *bytes, size_t len, struct proxy_header *h)
{
    return proxy_parse((const unsigned char *)bytes, len, h);
}

static bool is_address(const struct addr *a, const char *text)
{
    char got[ADDR_TEXT];

    return strcmp(addr_text(a, got), text) == 0;
}

static void good_header(const struct proxy_case *c)
{
    char longer[512];
    struct proxy_header h;

    for (size_t len = 0; len < c->len; len++)
        check(parse_header(c->bytes, len, &h) == PROXY_MORE, "a part of a header", c->about);
    memcpy(longer, c->bytes, c->len);
    memcpy(longer + c->len, "\r\n[X]", 5);
    for (size_t more = 0; more <= 5; more++) {
        check(parse_header(longer, c->len + more, &h) == PROXY_WHOLE && h.len == c->len, "a header", c->about);
        check(h.known == (c->source != NULL), "whose addresses", c->about);
    }
    if (c->source != NULL)
        check(is_address(&h.source, c->source) && is_address(&h.destination, c->destination), "addresses", c->about);
}

/* Once it is bad it stays bad, and it is never whole before. */
static void bad_header(const struct proxy_case *c)
{
    bool bad = false;

    for (size_t len = 0; len <= c->len; len++) {
        struct proxy_header h;
        enum proxy_status status = parse_header(c->bytes, len, &h);

        check(status != PROXY_WHOLE && (!bad || status == PROXY_BAD), "a part of a bad header", c->about);
        bad = status == PROXY_BAD;
    }
    check(bad, "a bad header", c->about);
}

static void written(int version, const char *source, const char *destination, const char *bytes, size_t len)
{
    struct addr from, to;
    unsigned char out[PROXY_WRITTEN];
    struct proxy_header h;

    memset(&from, 0, sizeof from);
    memset(&to, 0, sizeof to);
    if (source != NULL)
        addr_numeric(&from, source, 40002);
    if (destination != NULL)
        addr_numeric(&to, destination, 443);
    check(proxy_write(version, &from, &to, out) == len && memcmp(out, bytes, len) == 0, "proxy_write", bytes);
    check(proxy_parse(out, len, &h) == PROXY_WHOLE && h.known == (source != NULL), "reads back", bytes);
}

static void headers(void)
{
    static const char all[] = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

    for (size_t i = 0; i < sizeof good_headers / sizeof *good_headers; i++)
        good_header(&good_headers[i]);
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++)
        bad_header(&bad_headers[i]);
    written(1, "192.0.2.9", "198.51.100.1", BYTES("PROXY TCP4 192.0.2.9 198.51.100.1 40002 443\r\n"));
    written(1, "2001:db8::9", "2001:db8::1", BYTES("PROXY TCP6 2001:db8::9 2001:db8::1 40002 443\r\n"));
    written(1, all, all, BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                               "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 40002 443\r\n"));
    written(1, "192.0.2.9", "2001:db8::1", BYTES("PROXY TCP6 ::ffff:c000:209 2001:db8::1 40002 443\r\n"));
    written(1, "2001:db8::9", "192.0.2.9", BYTES("PROXY TCP6 2001:db8::9 ::ffff:c000:209 40002 443\r\n"));
    written(1, "192.0.2.9", NULL, BYTES("PROXY TCP4 192.0.2.9 0.0.0.0 40002 0\r\n"));
    written(1, NULL, "192.0.2.9", BYTES("PROXY UNKNOWN\r\n"));
    written(2, "192.0.2.9", "198.51.100.1", BYTES(SIGNATURE "\x21\x11\0\x0c" IN4_BLOCK));
    written(2, "2001:db8::9", "2001:db8::1", BYTES(SIGNATURE "\x21\x21\0\x24" DB8 "\x09" DB8 "\1" "\x9c\x42\1\xbb"));
    written(2, "192.0.2.9", "2001:db8::1",
            BYTES(SIGNATURE "\x21\x21\0\x24" MAPPED "\xc0\0\2\x09" DB8 "\1" "\x9c\x42\1\xbb"));
    written(2, NULL, NULL, BYTES(SIGNATURE "\x20\0\0\0"));
}

int main(void)
{
    numbers();
    texts();
    addresses();
    blocks();
    splits();
    lines();
    tlsrelay_lines();
    ptth_paths();
    hashes();
    macs();
    base64();
    key_lines();
    proofs();
    headers();
    printf("%d checks, %d wrong\n", checks, wrong);
    return wrong != 0;
}
