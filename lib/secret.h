/*
 * secret: files that nobody but their owner may read or write (mode 0600).
 */
#ifndef SECRET_H
#define SECRET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads an open file to its end, or until size bytes are full. regular: it has to be a regular
 * file, else anything but a directory. Returns NULL, or what is wrong with it (static, or
 * strerror's); *len bytes were read in either case.
 */
const char *secret_read(int fd, bool regular, char *to, size_t size, size_t *len);

#endif
