/*
 * Preloaded into a server: lets an allocation of one of its processes fail, and perhaps all after it.
 *
 * What is to happen stands in a file that is mapped by all processes (FAILING_MALLOC is its name, and holds a struct of
 * zeros at first), so that a test changes it from outside while the process waits for its next statement.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void __libc_free(void *);
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

/* As memory.py writes it. */
static volatile struct control
{
    long process; /* whose allocations are counted */
    long first;   /* the number, from 1, of the one that fails; 0: none does */
    long goes_on; /* whether all after it fail, too */
    long seen;    /* how many there were */
} *control;

__attribute__((constructor)) static void map_control(void)
{
    const char *name = getenv("FAILING_MALLOC");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *address;

    if (file < 0)
        return;
    address = (void *) syscall(SYS_mmap, 0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (address != MAP_FAILED)
        control = address;
    close(file);
}

static int fails(void)
{
    long number;

    /* The main thread's: what others take of the C library while they start was held for them before, which is no use
     * here. */
    if (!control || !control->first || control->process != getpid() || control->process != gettid())
        return 0;
    number = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (number == control->first || (control->goes_on && number > control->first))
    {
        errno = ENOMEM;
        return 1;
    }
    return 0;
}

/* Who gives much back may have it: failing means that there is no memory. */
static void given_back(size_t size)
{
    if (control && control->first && size >= 1 << 20 && control->seen >= control->first && control->process == getpid())
        control->goes_on = 0;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) { return fails() ? NULL : __libc_calloc(count, size); }

void *realloc(void *old, size_t size) { return fails() ? NULL : __libc_realloc(old, size); }

void *aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }

void free(void *memory)
{
    if (memory)
        given_back(malloc_usable_size(memory));
    __libc_free(memory);
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
    if (fails() || !(*result = __libc_memalign(alignment, size)))
        return ENOMEM;
    return 0;
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    if (fails())
        return MAP_FAILED;
    return (void *) syscall(SYS_mmap, address, length, protection, flags, file, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    return mmap(address, length, protection, flags, file, offset);
}
