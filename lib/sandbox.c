/*
 * sandbox: what a session child gives up before it copies. See sandbox.h.
 */
#ifdef __linux__

#define _GNU_SOURCE

#include "sandbox.h"

#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef NO_SECCOMP

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * What linux/seccomp.h, linux/filter.h and linux/audit.h say, in our own words:
 * a C library that is not the system's, such as musl-gcc's, comes without them.
 */
struct seccomp_call {       /* struct seccomp_data */
    int32_t number;
    uint32_t architecture;
    uint64_t instruction_pointer;
    uint64_t arguments[6];
};

struct instruction {        /* struct sock_filter, of classic BPF */
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t k;
};

struct bpf_program {        /* struct sock_fprog */
    unsigned short len;
    const struct instruction *instructions;
};

#define FILTER_MODE 2               /* SECCOMP_MODE_FILTER */
#define ACT_ALLOW 0x7fff0000U       /* SECCOMP_RET_ALLOW */
/* SECCOMP_RET_KILL_PROCESS. Kernels before 4.14 mask its one bit off, and what is left is SECCOMP_RET_KILL. */
#define ACT_KILL 0x80000000U

/*
 * What the kernel calls the ABI that this file is compiled for (AUDIT_ARCH_...):
 * its ELF machine, whether it has 64 bits, whether it is little-endian. x32
 * shares x86-64's name: its numbers have a bit of their own, so none of them
 * is in the other's table.
 */
#define BITS_64 0x80000000U
#define LITTLE_ENDIAN_ABI 0x40000000U

#if defined(__x86_64__)
#define ARCHITECTURE (62 | BITS_64 | LITTLE_ENDIAN_ABI)
#elif defined(__i386__)
#define ARCHITECTURE (3 | LITTLE_ENDIAN_ABI)
#elif defined(__aarch64__)          /* big-endian too */
#define ARCHITECTURE (183 | BITS_64 | LITTLE_ENDIAN_ABI)
#elif defined(__ARM_EABI__) && defined(__ARMEB__)
#define ARCHITECTURE 40U
#elif defined(__ARM_EABI__)
#define ARCHITECTURE (40 | LITTLE_ENDIAN_ABI)
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE (243 | BITS_64 | LITTLE_ENDIAN_ABI)
#elif defined(__mips__) && _MIPS_SIM == _ABIO32 && defined(__MIPSEB__)
#define ARCHITECTURE 8U
#elif defined(__mips__) && _MIPS_SIM == _ABIO32
#define ARCHITECTURE (8 | LITTLE_ENDIAN_ABI)
#elif defined(__mips__) && _MIPS_SIM == _ABI64 && defined(__MIPSEB__)
#define ARCHITECTURE (8 | BITS_64)
#elif defined(__mips__) && _MIPS_SIM == _ABI64
#define ARCHITECTURE (8 | BITS_64 | LITTLE_ENDIAN_ABI)
#endif

#endif

#ifdef ARCHITECTURE

/* BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K */
#define LOAD(offset) {0x20, 0, 0, (uint32_t)(offset)}
#define SKIP_UNLESS(value, count) {0x15, 0, count, (uint32_t)(value)}
#define SKIP_IF(value, count) {0x15, count, 0, (uint32_t)(value)}
#define RETURN(action) {0x06, 0, 0, action}
#define LOAD_NUMBER LOAD(offsetof(struct seccomp_call, number))

/* An argument's lower half: of ints the kernel takes no more than that. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOAD_ARGUMENT(n) LOAD(offsetof(struct seccomp_call, arguments) + 8 * (n) + 4)
#else
#define LOAD_ARGUMENT(n) LOAD(offsetof(struct seccomp_call, arguments) + 8 * (n))
#endif

/* Each leaves the call's number loaded for the next. */
#define ALLOW(call) SKIP_UNLESS(call, 1), RETURN(ACT_ALLOW)
#define ALLOW_IF(call, n, value) \
    SKIP_UNLESS(call, 4), LOAD_ARGUMENT(n), SKIP_UNLESS(value, 1), RETURN(ACT_ALLOW), LOAD_NUMBER
#define ALLOW_OPTION(call, level, option) \
    SKIP_UNLESS(call, 6), LOAD_ARGUMENT(1), SKIP_UNLESS(level, 3), LOAD_ARGUMENT(2), SKIP_UNLESS(option, 1), \
    RETURN(ACT_ALLOW), LOAD_NUMBER

/* Calls of socketcall(2), whose own arguments a filter cannot see. From linux/net.h. */
#define SOCKETCALL_SHUTDOWN 13
#define SOCKETCALL_SETSOCKOPT 14
#define SOCKETCALL_GETSOCKOPT 15

/*
 * What copy, leg, clock and the session's report call, under all the names
 * that a C library may choose on this architecture. The frequent ones first.
 */
static const struct instruction filter[] = {
    LOAD(offsetof(struct seccomp_call, architecture)),
    SKIP_IF(ARCHITECTURE, 1),
    RETURN(ACT_KILL),
    LOAD_NUMBER,
    ALLOW(__NR_read),
    ALLOW(__NR_write),
#ifdef __NR_poll
    ALLOW(__NR_poll),
#endif
#ifdef __NR_ppoll
    ALLOW(__NR_ppoll),
#endif
#ifdef __NR_ppoll_time64
    ALLOW(__NR_ppoll_time64),
#endif
#ifdef __NR_clock_gettime       /* where the vDSO does not do it */
    ALLOW(__NR_clock_gettime),
#endif
#ifdef __NR_clock_gettime64
    ALLOW(__NR_clock_gettime64),
#endif
#ifdef __NR_shutdown
    ALLOW(__NR_shutdown),
    ALLOW_OPTION(__NR_setsockopt, SOL_SOCKET, SO_LINGER),
    ALLOW_OPTION(__NR_getsockopt, SOL_SOCKET, SO_ERROR),
    ALLOW_OPTION(__NR_getsockopt, IPPROTO_TCP, TCP_INFO),
#endif
#ifdef __NR_socketcall
    ALLOW_IF(__NR_socketcall, 0, SOCKETCALL_SHUTDOWN),
    ALLOW_IF(__NR_socketcall, 0, SOCKETCALL_SETSOCKOPT),
    ALLOW_IF(__NR_socketcall, 0, SOCKETCALL_GETSOCKOPT),
#endif
    ALLOW_IF(__NR_ioctl, 1, TIOCOUTQ),
    ALLOW(__NR_close),
    ALLOW(__NR_restart_syscall),    /* poll, after SIGSTOP and SIGCONT */
    ALLOW(__NR_rt_sigreturn),
#ifdef __NR_sigreturn
    ALLOW(__NR_sigreturn),
#endif
    ALLOW(__NR_exit_group),
    ALLOW(__NR_exit),
    RETURN(ACT_KILL),
};

/* A kernel that has filters looks at the program first: EFAULT. */
const char *sandbox_missing(void)
{
    return prctl(PR_SET_SECCOMP, FILTER_MODE, NULL) != 0 && errno == EFAULT ? NULL : "kernel";
}

static void install_filter(void)
{
    const struct bpf_program program = {sizeof filter / sizeof *filter, filter};

    prctl(PR_SET_SECCOMP, FILTER_MODE, &program);
}

#else

const char *sandbox_missing(void)
{
#ifdef NO_SECCOMP
    return "build";
#else
    return "architecture";
#endif
}

static void install_filter(void)
{
}

#endif

/* prlimit(), since musl's setrlimit() brings what is for threads along, 4 kB of it. */
void sandbox_enter(bool writes_files)
{
    const struct rlimit none = {0, 0};

    prlimit(0, RLIMIT_NPROC, &none, NULL);
    prlimit(0, RLIMIT_CORE, &none, NULL);
    if (!writes_files)
        prlimit(0, RLIMIT_FSIZE, &none, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        install_filter();
}

#else

#include "sandbox.h"

const char *sandbox_missing(void)
{
    return "kernel";
}

void sandbox_enter(bool writes_files)
{
    (void)writes_files;
}

#endif
