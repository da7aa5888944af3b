/*
 * forward_proxy: an HTTP proxy, and the way through it. See forward_proxy.h.
 */
#include "forward_proxy.h"

#include "clock.h"
#include "http_reader.h"
#include "secret.h"
#include "sock.h"
#include "text.h"
#include "wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The same authority twice, the credentials, and what stands around them. */
#define REQUEST (2 * (ADDR_HOST + 8) + sizeof ((struct forward_proxy *)0)->authorization + 64)

static struct forward_proxy *loaded;

const char *forward_proxy_parse(struct forward_proxy *p, const char *url)
{
    static const char scheme[] = "http://";
    long port;

    if (strchr(url, '@') != NULL)
        return "a password on a command line is everybody's to read: give USER:PASSWORD in a file, by --proxy-auth";
    if (strncmp(url, "https://", 8) == 0)
        return "a proxy is spoken to without TLS: http:// alone";
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return "it begins with http://";
    url += sizeof scheme - 1;
    if (strpbrk(url, "/?#") != NULL)
        return "nothing stands behind HOST:PORT";
    port = addr_split_or(url, p->at.host, HTTP_PORT);
    if (port < 1)
        return "write http://HOST, http://HOST:PORT or http://[IPv6]:PORT";
    p->at.port = (unsigned)port;
    return NULL;
}

/* Credentials. */

static const char *check(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            return "it is not one line, or has a control character in it";
    if (len > FORWARD_PROXY_CREDENTIALS)
        return "it is longer than 255 bytes";
    return memchr(line, ':', len) == NULL ? "it is not USER:PASSWORD" : NULL;
}

const char *forward_proxy_load(struct forward_proxy *p, const char *file)
{
    /* One byte more than may be, and the newline. */
    char line[FORWARD_PROXY_CREDENTIALS + 2];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    const char *wrong;
    size_t len;

    if (fd < 0)
        return strerror(errno);
    wrong = secret_read(fd, false, line, sizeof line, &len);
    close(fd);
    if (len > 0 && line[len - 1] == '\n')
        len--;
    if (wrong == NULL)
        wrong = check(line, len);
    if (wrong == NULL) {
        char *end = p->authorization + sizeof FORWARD_PROXY_FIELD - 1;

        memcpy(p->authorization, FORWARD_PROXY_FIELD, sizeof FORWARD_PROXY_FIELD - 1);
        memcpy(end + base64_put(end, line, len), "\r\n", 3);
        loaded = p;
    }
    wipe(line, sizeof line);
    return wrong;
}

void forward_proxy_forget(void)
{
    if (loaded != NULL)
        wipe(loaded->authorization, sizeof loaded->authorization);
}

/* The way through. */

static int ask(const struct forward_proxy *p, const struct dial_host *to, int fd)
{
    char authority[ADDR_HOST + 8], bytes[REQUEST];
    struct text t;
    int result;

    text_init(&t, authority, sizeof authority);
    text_add(&t, strchr(to->host, ':') != NULL ? "[%s]:%u" : "%s:%u", to->host, to->port);
    text_init(&t, bytes, sizeof bytes);
    text_add(&t, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", authority, authority, p->authorization);
    result = sock_send(fd, t.data, t.len);
    wipe(bytes, sizeof bytes);
    return result;
}

static const char *no_head(enum http_reader_status status)
{
    switch (status) {
    case HTTP_READER_MORE:
        return "it does not answer";
    case HTTP_READER_LONG:
        return "its answer is too long";
    case HTTP_READER_END:
        return "it closed the connection";
    case HTTP_READER_ERROR:
        return strerror(errno);
    default:
        return "it does not speak HTTP";
    }
}

/* What an answer's first line says behind its version: a status and a reason. */
static const char *said(struct http_reader *in)
{
    char *line = in->bytes + strspn(in->bytes, "\r\n");

    line[strcspn(line, "\r")] = '\0';
    return strncmp(line, "HTTP/", 5) == 0 ? line + strlen("HTTP/1.1 ") : NULL;
}

int forward_proxy_connect(const struct forward_proxy *p, const struct dial_host *to, int fd, int seconds,
                          char why[DIAL_WHY])
{
    long long end = clock_ms() + seconds * 1000LL;
    enum http_reader_status status;
    const char *answer = NULL;
    struct http_reader in;
    struct text t;

    text_init(&t, why, DIAL_WHY);
    if (ask(p, to, fd) != 0) {
        text_add(&t, "the proxy: %s", strerror(errno));
        return -1;
    }
    /*
     * What is only told meanwhile, 1xx, comes before the answer (RFC 9110, 15.2). Of that the fields
     * mean nothing here, not even those of a body that a 2xx cannot have (9.3.6).
     */
    do {
        status = http_reader_wait(&in, fd, -1, end);
        answer = status == HTTP_READER_WHOLE ? said(&in) : NULL;
    } while (answer != NULL && *answer == '1');
    if (answer != NULL && *answer == '2')
        return 0;
    text_add(&t, answer != NULL ? "the proxy says %s" : "the proxy: %s", answer != NULL ? answer : no_head(status));
    return -1;
}
