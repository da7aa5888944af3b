/*
 * target: what relay-connect offers. See target.h.
 */
#include "target.h"

#include "proxy.h"
#include "sock.h"
#include "text.h"

#include <string.h>
#include <unistd.h>

/* NAME= stands first, if at all; a path may have '=' in it, a name has no '/'. */
static const char *take_name(struct target *t, const char **text)
{
    size_t len = name_span(*text);

    if ((*text)[len] != '=')
        return NULL;
    if (len == 0 || len >= sizeof t->name)
        return "NAME is 1 to 64 letters, digits, dots, dashes and underscores";
    memcpy(t->name, *text, len);
    t->name[len] = '\0';
    *text += len + 1;
    return NULL;
}

static size_t digits_span(const char *text)
{
    size_t len = 0;

    while (text[len] >= '0' && text[len] <= '9')
        len++;
    return len;
}

/* PUBLIC: stands before a path, a dash, or something that has a colon itself. */
static const char *take_public(struct target *t, const char **text)
{
    size_t len = digits_span(*text);
    const char *rest = *text + len + 1;
    char digits[8];
    long port;

    if (len == 0 || (*text)[len] != ':')
        return NULL;
    if (*rest != '/' && strcmp(rest, "-") != 0 && strchr(rest, ':') == NULL)
        return NULL;
    port = -1;
    if (len < sizeof digits) {
        memcpy(digits, *text, len);
        digits[len] = '\0';
        port = text_number(digits, 65535);
    }
    if (port < 1)
        return "PUBLIC is a port from 1 to 65535";
    t->public_port = (unsigned)port;
    *text = rest;
    return NULL;
}

const char *target_parse(struct target *t, const char *text)
{
    const char *wrong;
    long port;

    memset(t, 0, sizeof *t);
    wrong = take_name(t, &text);
    if (wrong == NULL)
        wrong = take_public(t, &text);
    if (wrong != NULL)
        return wrong;
    if (strcmp(text, "-") == 0) {
        t->kind = TARGET_STDIO;
        return NULL;
    }
    if (*text == '/') {
        t->kind = TARGET_UNIX;
        return addr_unix(&t->path, text) != 0 ? "that path is too long for a socket" : NULL;
    }
    t->kind = TARGET_TCP;
    port = addr_split(text, t->server.host);
    t->server.port = (unsigned)port;
    return port < 1 ? "a server is given as HOST:PORT, [IPv6]:PORT or /path/of/socket" : NULL;
}

int target_open(const struct target *t, int seconds, struct leg *leg, char why[DIAL_WHY])
{
    int fd;

    if (t->kind == TARGET_STDIO) {
        *leg = leg_of_files(STDIN_FILENO, STDOUT_FILENO);
        return 0;
    }
    fd = t->kind == TARGET_UNIX ? dial_addr(&t->path, seconds, why) : dial_now(&t->server, seconds, why);
    if (fd < 0)
        return -1;
    sock_session_options(fd);
    *leg = leg_of_socket(fd);
    return 0;
}

int target_addr(const struct target *t, int i, struct addr *a)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"};

    if (t->kind == TARGET_TCP && strcmp(t->server.host, "localhost") == 0 && i < 2)
        return addr_numeric(a, loopback[i], t->server.port);
    if (t->kind == TARGET_TCP && i == 0)
        return addr_numeric(a, t->server.host, t->server.port);
    if (t->kind != TARGET_UNIX || i != 0)
        return -1;
    *a = t->path;
    return 0;
}

size_t target_header(int version, const struct command_peers *peers, char *header)
{
    struct addr public;

    if (addr_numeric(&public, peers->public_host, peers->public_port) != 0) {
        public = *peers->relay;
        addr_set_port(&public, peers->public_port);
    }
    return proxy_write(version, peers->client, &public, (unsigned char *)header);
}
