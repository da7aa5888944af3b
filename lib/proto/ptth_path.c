/*
 * ptth_path: the paths of PTTH's requests. See ptth_path.h.
 */
#include "ptth_path.h"

#include "../text.h"

#include <string.h>

const char *const ptth_endpoints[PTTH_ENDPOINTS] = {
    [PTTH_LISTEN] = "listen",
    [PTTH_CONNECT] = "connect",
    [PTTH_ACCEPT] = "accept",
    [PTTH_UPSTREAM] = "upstream",
    [PTTH_DOWNSTREAM] = "downstream",
};

bool ptth_streams(enum ptth_endpoint endpoint)
{
    return endpoint == PTTH_UPSTREAM || endpoint == PTTH_DOWNSTREAM;
}

int ptth_id_parse(unsigned char id[CLAIM_BYTES], const char *text)
{
    return text_unhex(text, id, CLAIM_BYTES);
}

bool ptth_service_valid(const char *text, char server[NAME_SIZE])
{
    size_t len = name_span(text);

    if (len == 0 || len >= NAME_SIZE || text[len] != '/' || !name_valid(text + len + 1))
        return false;
    memcpy(server, text, len);
    server[len] = '\0';
    return true;
}

/* Takes /WORD/ off; returns which it is, or PTTH_ENDPOINTS. */
static enum ptth_endpoint take_endpoint(const char **path)
{
    enum ptth_endpoint e;

    for (e = 0; e < PTTH_ENDPOINTS; e++) {
        size_t len = strlen(ptth_endpoints[e]);

        if ((*path)[0] == '/' && strncmp(*path + 1, ptth_endpoints[e], len) == 0 && (*path)[len + 1] == '/') {
            *path += len + 2;
            break;
        }
    }
    return e;
}

int ptth_path_parse(struct ptth_path *p, const char *path)
{
    p->endpoint = take_endpoint(&path);
    if (p->endpoint == PTTH_ENDPOINTS)
        return -1;
    p->by_id = p->endpoint > PTTH_CONNECT;
    if (p->by_id)
        return ptth_id_parse(p->id, path);
    text_copy(p->service, sizeof p->service, path);
    return ptth_service_valid(path, p->server) ? 0 : -1;
}
