#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Under the address sanitizer every piece is a block of its own, so that an overrun is seen. */
#if defined(__SANITIZE_ADDRESS__)
enum { BLOCK_BYTES = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { BLOCK_BYTES = 0 };
#else
enum { BLOCK_BYTES = 16 << 10 };
#endif
#else
enum { BLOCK_BYTES = 16 << 10 };
#endif

struct icl_arena_block {
    struct icl_arena_block *older;
    size_t used_bytes, size_bytes;
    alignas(max_align_t) unsigned char bytes[];
};

/* Zeroed, so that pieces cut from it are. A piece larger than a block gets one to itself. */
static struct icl_arena_block *block_new(icl_arena *arena, size_t bytes)
{
    const size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct icl_arena_block *block = calloc(1, sizeof *block + size);
    if (block == NULL) return NULL;
    block->size_bytes = size;
    block->older = arena->newest;
    arena->newest = block;
    return block;
}

void *icl_arena_alloc(icl_arena *arena, size_t bytes)
{
    const size_t unit = alignof(max_align_t);
    if (bytes > SIZE_MAX / 2) return NULL;
    const size_t rounded = (bytes + unit - 1) / unit * unit;
    struct icl_arena_block *block = arena->newest;
    const bool fits =
        BLOCK_BYTES > 0 && block != NULL && block->size_bytes - block->used_bytes >= rounded;
    if (!fits) {
        block = block_new(arena, BLOCK_BYTES > 0 ? rounded : bytes);
        if (block == NULL) return NULL;
    }
    void *piece = block->bytes + block->used_bytes;
    block->used_bytes += BLOCK_BYTES > 0 ? rounded : bytes;
    arena->allocated_bytes += rounded;
    return piece;
}

void icl_arena_deinit(icl_arena *arena)
{
    while (arena->newest != NULL) {
        struct icl_arena_block *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
    arena->allocated_bytes = 0;
}
