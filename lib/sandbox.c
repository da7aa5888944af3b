/*
 * sandbox: what a session child gives up before it copies. See sandbox.h.
 */
#ifdef __linux__

#define _GNU_SOURCE

#include "sandbox.h"

#include "os.h"
#include "wipe.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef NO_SECCOMP

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

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

/* An argument's halves: of ints the kernel takes no more than the lower one. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOAD_UPPER(n) LOAD(offsetof(struct seccomp_call, arguments) + 8 * (n))
#define LOAD_ARGUMENT(n) LOAD(offsetof(struct seccomp_call, arguments) + 8 * (n) + 4)
#else
#define LOAD_UPPER(n) LOAD(offsetof(struct seccomp_call, arguments) + 8 * (n) + 4)
#define LOAD_ARGUMENT(n) LOAD(offsetof(struct seccomp_call, arguments) + 8 * (n))
#endif

/* Each leaves the call's number loaded for the next. */
#define ALLOW(call) SKIP_UNLESS(call, 1), RETURN(ACT_ALLOW)
#define ALLOW_IF(call, n, value) \
    SKIP_UNLESS(call, 4), LOAD_ARGUMENT(n), SKIP_UNLESS(value, 1), RETURN(ACT_ALLOW), LOAD_NUMBER
#define ALLOW_IF_BOTH(call, n, value, m, other) \
    SKIP_UNLESS(call, 6), LOAD_ARGUMENT(n), SKIP_UNLESS(value, 3), LOAD_ARGUMENT(m), SKIP_UNLESS(other, 1), \
    RETURN(ACT_ALLOW), LOAD_NUMBER
#define ALLOW_OPTION(call, level, option) ALLOW_IF_BOTH(call, 1, level, 2, option)

/* Calls of socketcall(2), whose own arguments a filter cannot see. From linux/net.h. */
#define SOCKETCALL_SHUTDOWN 13
#define SOCKETCALL_SETSOCKOPT 14
#define SOCKETCALL_GETSOCKOPT 15
#define SOCKETCALL_RECVMSG 17

/* Where clone() takes the number that lets it through: an argument that it does not look at (clone(2), ptid). */
#define PASS_ARGUMENT 2

/* What is filled in: the call that needs the number, and the number's halves. */
enum { PASS_CALL = 4, PASS_UPPER = 6, PASS_LOWER = 8 };

/*
 * What copy, opening, leg, clock, jobs and reports call, under all the names
 * that a C library may choose on this architecture. The frequent ones first.
 */
static const struct instruction filter[] = {
    LOAD(offsetof(struct seccomp_call, architecture)),
    SKIP_IF(ARCHITECTURE, 1),
    RETURN(ACT_KILL),
    LOAD_NUMBER,
    SKIP_UNLESS(__NR_clone, 6),     /* PASS_CALL */
    LOAD_UPPER(PASS_ARGUMENT),
    SKIP_UNLESS(0, 3),              /* PASS_UPPER */
    LOAD_ARGUMENT(PASS_ARGUMENT),
    SKIP_UNLESS(0, 1),              /* PASS_LOWER */
    RETURN(ACT_ALLOW),
    RETURN(ACT_KILL),
    ALLOW(__NR_read),
    ALLOW(__NR_write),
    ALLOW(__NR_writev),
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
    ALLOW(__NR_recvmsg),
    ALLOW_OPTION(__NR_setsockopt, SOL_SOCKET, SO_LINGER),
    ALLOW_OPTION(__NR_setsockopt, SOL_SOCKET, SO_KEEPALIVE),
    ALLOW_OPTION(__NR_setsockopt, IPPROTO_TCP, TCP_KEEPIDLE),
    ALLOW_OPTION(__NR_setsockopt, IPPROTO_TCP, TCP_KEEPINTVL),
    ALLOW_OPTION(__NR_setsockopt, IPPROTO_TCP, TCP_KEEPCNT),
    ALLOW_OPTION(__NR_getsockopt, SOL_SOCKET, SO_ERROR),
    ALLOW_OPTION(__NR_getsockopt, IPPROTO_TCP, TCP_INFO),
#endif
#ifdef __NR_socketcall
    ALLOW_IF(__NR_socketcall, 0, SOCKETCALL_SHUTDOWN),
    ALLOW_IF(__NR_socketcall, 0, SOCKETCALL_SETSOCKOPT),
    ALLOW_IF(__NR_socketcall, 0, SOCKETCALL_GETSOCKOPT),
    ALLOW_IF(__NR_socketcall, 0, SOCKETCALL_RECVMSG),
#endif
    ALLOW_IF(__NR_ioctl, 1, TIOCOUTQ),
    ALLOW_IF(__NR_madvise, 2, MADV_DONTNEED),
    ALLOW_IF_BOTH(__NR_prlimit64, 0, 0, 1, RLIMIT_NPROC),
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

/* pass 0: there is no number that lets a fork through. */
static void install_filter(uintptr_t pass)
{
    struct instruction copy[sizeof filter / sizeof *filter];
    const struct bpf_program program = {sizeof copy / sizeof *copy, copy};

    memcpy(copy, filter, sizeof copy);
    if (pass == 0)
        copy[PASS_CALL].k = UINT32_MAX;
    copy[PASS_UPPER].k = (uint32_t)((uint64_t)pass >> 32);
    copy[PASS_LOWER].k = (uint32_t)pass;
    prctl(PR_SET_SECCOMP, FILTER_MODE, &program);
    wipe(copy, sizeof copy);
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

static void install_filter(uintptr_t pass)
{
    (void)pass;
}

#endif

/* prlimit(), since musl's setrlimit() brings what is for threads along, 4 kB of it. */
static void limit_to_none(int resource)
{
    const struct rlimit none = {0, 0};

    prlimit(0, resource, &none, NULL);
}

static void filtered(uintptr_t pass)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        install_filter(pass);
}

void sandbox_enter(bool writes_files)
{
    limit_to_none(RLIMIT_NPROC);
    limit_to_none(RLIMIT_CORE);
    if (!writes_files)
        limit_to_none(RLIMIT_FSIZE);
    filtered(0);
}

int sandbox_enter_forking(uintptr_t *pass)
{
    do {
        if (os_random(pass, sizeof *pass) != 0)
            return -1;
    } while (*pass == 0);
    limit_to_none(RLIMIT_CORE);
    limit_to_none(RLIMIT_FSIZE);
    filtered(*pass);
    return 0;
}

/* The child has a copy of the memory, so what is in it of the number is overwritten first. */
pid_t sandbox_fork(uintptr_t *pass)
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, *pass, 0, 0);

    if (pid == 0) {
        wipe(pass, sizeof *pass);
        wipe_stack();
        limit_to_none(RLIMIT_NPROC);
    }
    return pid;
}

/* Where clone() has its arguments in another order, nobody has tried it. */
bool sandbox_fork_missing(void)
{
#if defined(NO_NURSERY) || defined(__s390__) || defined(__sparc__) || defined(__ia64__)
    return true;
#else
    return false;
#endif
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

int sandbox_enter_forking(uintptr_t *pass)
{
    (void)pass;
    return 0;
}

pid_t sandbox_fork(uintptr_t *pass)
{
    (void)pass;
    return -1;
}

bool sandbox_fork_missing(void)
{
    return true;
}

#endif
