/*
 * rights: root given up for good, for a user who may do little, in a
 * directory where there is little.
 */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <sys/types.h>

struct rights {
    uid_t uid;
    gid_t gid;
};

/*
 * Looks USER[:GROUP] up, names or numbers, in /etc/passwd and /etc/group; a
 * name that stands there is taken before a number. Without GROUP it is the
 * user's own. Returns NULL, or what is wrong with it as half a sentence
 * (static); root is wrong.
 */
const char *rights_find(struct rights *r, const char *user);

/*
 * chroot (directory NULL: none), groups, group, user, and then a proof that
 * there is no way back. Returns NULL, or what failed (static) with errno. The
 * process has to end then: it may have given up some of it.
 */
const char *rights_give_up(const struct rights *r, const char *directory);

#endif
