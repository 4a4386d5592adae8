/*
 * The heap as a test sees it, for programs linked with -Wl,--wrap=malloc,
 * --wrap=realloc,--wrap=free: no block with a needle in it may be given back,
 * and allocations fail on command. Include it in one file of the program.
 */
#ifndef SIGNET_UNIT_HEAP_H
#define SIGNET_UNIT_HEAP_H

#include <malloc.h>
#include <stdbool.h>
#include <string.h>

static const char heap_needle[] = "PIN-8462-never-on-the-heap";
static unsigned heap_leaks; /* blocks given back with the needle in them */
static bool heap_exhausted; /* every allocation fails */
static unsigned heap_allocations;

void *__real_malloc(size_t n);
void __real_free(void *block);
void *__wrap_malloc(size_t n);
void *__wrap_realloc(void *block, size_t n);
void __wrap_free(void *block);

static void
heap_inspect(void *block)
{
	if (block != NULL &&
	    memmem(block, malloc_usable_size(block), heap_needle, sizeof(heap_needle) - 1) != NULL)
		heap_leaks++;
}

void *
__wrap_malloc(size_t n)
{
	void *block = heap_exhausted ? NULL : __real_malloc(n);

	heap_allocations++;
	/* the inspection reads whole blocks, also what nobody wrote: keep the memory checkers quiet */
	if (block != NULL)
		memset(block, 0, malloc_usable_size(block));
	return block;
}

/* Always moves, the worst that it may do, and leaves the old block as it was. */
void *
__wrap_realloc(void *block, size_t n)
{
	size_t old = block == NULL ? 0 : malloc_usable_size(block);
	void *moved = __wrap_malloc(n);

	if (moved == NULL)
		return NULL;
	if (block != NULL)
		memcpy(moved, block, old < n ? old : n);
	__wrap_free(block);
	return moved;
}

void
__wrap_free(void *block)
{
	heap_inspect(block);
	__real_free(block);
}

#endif
