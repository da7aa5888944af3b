/*
 * options: command-line options from one table, short and long.
 *
 * Parsing, --help and --version all read that table. A mistake ends the
 * program with exit code 2 and one sentence.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#define RELAY_VERSION "0.1.0"

/* Exit codes. */
enum { EXIT_TOLD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

struct option {
    char letter;            /* 0: none */
    const char *name;       /* the long one, without its dashes */
    const char *value;      /* what the help calls its value; NULL: it takes none */
    const char *help;
    bool *flag;             /* set to true, */
    const char **text;      /* or to the value, */
    int *number;            /* or to the value from min to max */
    int min, max;
};

struct program {
    const char *name;
    const char *synopsis;           /* lines that each begin with two spaces */
    const char *closing;            /* what the help ends with */
    const struct option *options;   /* ends with a NULL name */
};

/*
 * Sets what the options say and returns the index of the first operand.
 * Options end at the first operand or at --.
 */
int options_parse(const struct program *p, int argc, char **argv);

/* Ends the program: exit code 2, the sentence, and where to look. */
void options_mistake(const struct program *p, const char *format, ...);

#endif
