/*
 * remembers: whether a process has a text in its memory.
 *
 *     remembers PID TEXT        0: it has, 1: it has not, 2: it cannot be read
 *
 * Looks through all of its mappings that can be read and written, by /proc,
 * but for those of terabytes that sanitizers make.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGEST (256UL << 20)

static int has(int fd, unsigned long start, unsigned long end, const char *text)
{
    size_t len = end - start, text_len = strlen(text);
    char *bytes = len <= LARGEST ? malloc(len) : NULL;
    ssize_t got = bytes != NULL ? pread(fd, bytes, len, (off_t)start) : -1;
    int found = 0;

    for (ssize_t i = 0; !found && i + (ssize_t)text_len <= got; i++)
        found = memcmp(bytes + i, text, text_len) == 0;
    free(bytes);
    return found;
}

int main(int argc, char **argv)
{
    char path[64], line[512], rights[8];
    unsigned long start, end;
    int fd, mappings = 0;
    FILE *maps;

    if (argc != 3)
        return 2;
    snprintf(path, sizeof path, "/proc/%s/mem", argv[1]);
    fd = open(path, O_RDONLY);
    snprintf(path, sizeof path, "/proc/%s/maps", argv[1]);
    maps = fopen(path, "r");
    if (fd < 0 || maps == NULL) {
        perror(path);
        return 2;
    }
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) != 3 || strncmp(rights, "rw", 2) != 0)
            continue;
        mappings++;
        if (has(fd, start, end, argv[2]))
            return 0;
    }
    return mappings > 0 ? 1 : 2;
}
