/*
 * Lines taken from a connection on which they come in pieces: each is whole,
 * and no byte beyond its newline is taken.
 *
 * The first byte says how the rest is cut into pieces.
 */
#include "fuzz.h"

#include "../../lib/line.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

int fuzz_taken = -1;

/* What surely goes into a socket at once. */
#define LONGEST 4096

struct talk {
    int ends[2];
    const uint8_t *bytes;
    size_t len, sent;
    size_t begun;           /* where the line that is due begins */
    struct line line;
};

/* How many bytes wait, and whether they are those behind what was taken. */
static size_t waiting(const struct talk *t, size_t taken)
{
    uint8_t bytes[LONGEST];
    ssize_t got = recv(t->ends[1], bytes, sizeof bytes, MSG_PEEK);

    MUST(got <= (ssize_t)(t->sent - taken));
    if (got > 0)
        MUST(memcmp(bytes, t->bytes + taken, (size_t)got) == 0);
    return got > 0 ? (size_t)got : 0;
}

/* Takes what there is. Returns false when a line was too long. */
static bool take(struct talk *t)
{
    for (;;) {
        const uint8_t *due = t->bytes + t->begun;
        size_t there = t->sent - t->begun;
        const uint8_t *newline = there > 0 ? memchr(due, '\n', there) : NULL;
        size_t wanted = newline != NULL ? (size_t)(newline - due) : there;

        switch (line_take(&t->line, t->ends[1])) {
        case LINE_WHOLE:
            MUST(newline != NULL && wanted < LINE_LONGEST && t->line.len == wanted);
            MUST(memcmp(t->line.bytes, due, wanted) == 0 && t->line.bytes[wanted] == '\0');
            t->begun += wanted + 1;
            MUST(waiting(t, t->begun) == t->sent - t->begun);
            line_reset(&t->line);
            break;
        case LINE_LONG:
            MUST(wanted >= LINE_LONGEST && t->line.len == LINE_LONGEST);
            MUST(memcmp(t->line.bytes, due, LINE_LONGEST) == 0);
            MUST(waiting(t, t->begun + LINE_LONGEST) == there - LINE_LONGEST);
            return false;
        case LINE_MORE:
            MUST(t->line.len <= wanted && memcmp(t->line.bytes, due, t->line.len) == 0);
            if (t->line.len < there)
                break;
            MUST(newline == NULL && waiting(t, t->sent) == 0);
            return true;
        default:
            MUST(!"a line, more of it or too much");
        }
    }
}

static bool talk(struct talk *t, unsigned seed)
{
    while (t->sent < t->len) {
        size_t piece;

        seed = seed * 1103515245U + 12345U;
        piece = 1 + (seed >> 16) % (seed >> 31 != 0 ? 8 : 700);
        if (piece > t->len - t->sent)
            piece = t->len - t->sent;
        MUST(send(t->ends[0], t->bytes + t->sent, piece, 0) == (ssize_t)piece);
        t->sent += piece;
        if (!take(t))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct talk t = {.bytes = bytes};

    if (len == 0 || len > LONGEST)
        return 0;
    t.bytes++;
    t.len = len - 1;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, t.ends) == 0);
    MUST(fcntl(t.ends[1], F_SETFL, O_NONBLOCK) == 0);
    line_reset(&t.line);
    if (talk(&t, bytes[0])) {
        MUST(line_take(&t.line, t.ends[1]) == LINE_MORE);
        MUST(shutdown(t.ends[0], SHUT_WR) == 0 && line_take(&t.line, t.ends[1]) == LINE_END);
    }
    close(t.ends[0]);
    close(t.ends[1]);
    return 0;
}
