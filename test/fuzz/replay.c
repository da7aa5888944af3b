/*
 * replay: gives a fuzz target files, without a fuzzer.
 *
 *     TARGET [-n MOST] FILE...
 *
 * Each as it is, each beginning of it, and with each byte changed to each
 * other value; of these changes at most about MOST a file (10000), evenly
 * spread. A file called mistake-* has to be refused, any other taken, if the
 * target tells. Prints how many inputs there were. Where one ends the program, what
 * it was is said on standard error, and it is in the file given as
 * FUZZ_WRONG in the environment, if one is.
 */
#include "fuzz.h"

#include <signal.h>
#include <unistd.h>

/* Seeds are small. */
#define LONGEST 8192

static struct {
    const char *file;
    const char *what;           /* was done at: */
    size_t at;
    uint8_t bytes[LONGEST];
    size_t len;
} input;

static unsigned long inputs;

static void say_which(void)
{
    const char *copy = getenv("FUZZ_WRONG");
    FILE *to = copy != NULL ? fopen(copy, "wb") : NULL;

    fprintf(stderr, "%s: %s %lu\n", input.file, input.what, (unsigned long)input.at);
    if (to == NULL)
        return;
    fwrite(input.bytes, 1, input.len, to);
    fclose(to);
}

/* The program is lost: whether stdio may be called here matters no more. */
static void lost(int signo)
{
    signal(signo, SIG_DFL);
    say_which();
    raise(signo);
}

static void run(const char *what, size_t at, size_t len)
{
    input.what = what;
    input.at = at;
    input.len = len;
    inputs++;
    LLVMFuzzerTestOneInput(input.bytes, len);
}

static void run_changes(size_t len, unsigned long most)
{
    unsigned long step = 1 + 255UL * len / most, value = 1;

    for (size_t at = 0; at < len; at++) {
        for (; value < 256; value += step) {
            input.bytes[at] ^= (uint8_t)value;
            run("changed in byte", at, len);
            input.bytes[at] ^= (uint8_t)value;
        }
        value -= 255;
    }
}

/* Seeds that are to be refused are called mistake-*. */
static int is_mistake(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strncmp(slash != NULL ? slash + 1 : path, "mistake-", strlen("mistake-")) == 0;
}

static int replay(const char *path, unsigned long most)
{
    FILE *file = fopen(path, "rb");
    size_t len;

    if (file == NULL) {
        perror(path);
        return -1;
    }
    len = fread(input.bytes, 1, sizeof input.bytes, file);
    fclose(file);
    input.file = path;
    for (size_t part = 0; part <= len; part++)
        run("cut at byte", part, part);
    MUST(fuzz_taken < 0 || fuzz_taken == !is_mistake(path));
    run_changes(len, most);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long most = 10000;
    int first = 1;

    if (argc > 2 && strcmp(argv[1], "-n") == 0) {
        most = strtoul(argv[2], NULL, 10);
        first = 3;
    }
    if (first >= argc || most == 0) {
        fprintf(stderr, "usage: %s [-n MOST] FILE...\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, lost);
    signal(SIGSEGV, lost);
    signal(SIGBUS, lost);
    signal(SIGFPE, lost);
    for (int i = first; i < argc; i++)
        if (replay(argv[i], most) != 0)
            return 1;
    printf("%lu inputs\n", inputs);
    return 0;
}
