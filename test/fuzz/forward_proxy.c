/*
 * An HTTP proxy as its URL gives it, and what it answers: of a URL that is taken
 * the same is taken when it is written again, and none of one that is not is in
 * what is said of it; an answer is taken to the end of a head that says 2xx,
 * and not a byte beyond.
 */
#include "fuzz.h"

#include "../../lib/forward_proxy.h"
#include "../../lib/sock.h"
#include "../../lib/text.h"

#include <ctype.h>
#include <sys/socket.h>
#include <unistd.h>

int fuzz_taken;

#define LONGEST 16384

static bool check_url(const char *url)
{
    char again[2 * ADDR_HOST];
    struct forward_proxy p = {0}, second = {0};
    const char *wrong = forward_proxy_parse(&p, url);
    struct text t;

    if (wrong != NULL) {
        MUST(strlen(wrong) > 10 && wrong[strlen(wrong) - 1] != '.');
        for (; *wrong != '\0'; wrong++)
            MUST(isprint((unsigned char)*wrong));
        return false;
    }
    MUST(addr_host_valid(p.at.host) && p.at.port >= 1 && p.at.port <= 65535 && p.authorization[0] == '\0');
    text_init(&t, again, sizeof again);
    text_add(&t, strchr(p.at.host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u", p.at.host, p.at.port);
    MUST(!t.cut && forward_proxy_parse(&second, again) == NULL);
    MUST(strcmp(p.at.host, second.at.host) == 0 && p.at.port == second.at.port);
    return true;
}

static bool check_answer(const uint8_t *bytes, size_t len)
{
    static const struct dial_host to = {.host = "relay", .port = 1};
    static const struct forward_proxy p = {.authorization = ""};
    char why[DIAL_WHY] = "", rest[LONGEST];
    int ends[2];
    size_t left = 0;
    ssize_t got;
    bool taken;

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    MUST(len == 0 || write(ends[1], bytes, len) == (ssize_t)len);
    MUST(shutdown(ends[1], SHUT_WR) == 0 && sock_set_blocking(ends[0], 0) == 0);
    taken = forward_proxy_connect(&p, &to, ends[0], 1, why) == 0;
    while ((got = read(ends[0], rest + left, sizeof rest - left)) > 0)
        left += (size_t)got;
    MUST(left <= len && memcmp(rest, bytes + len - left, left) == 0);
    MUST(taken == (strncmp(why, "the proxy", 9) != 0));
    if (taken)
        MUST(len - left >= 16 && memcmp(bytes + len - left - 4, "\r\n\r\n", 4) == 0);
    close(ends[0]);
    close(ends[1]);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *url;

    if (len > LONGEST)
        return 0;
    url = fuzz_string(bytes, len);
    fuzz_taken = check_url(url);
    free(url);
    if (check_answer(bytes, len))
        fuzz_taken = 1;
    return 0;
}
