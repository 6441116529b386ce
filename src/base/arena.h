/* base/arena.h - memory that dies together: allocate piece by piece, free all at once.
 *
 *   icl_arena arena = { 0 };
 *   int *numbers = icl_arena_alloc(&arena, 8 * sizeof *numbers);
 *   icl_arena_deinit(&arena);
 */
#ifndef ICL_BASE_ARENA_H
#define ICL_BASE_ARENA_H

#include <stddef.h>

typedef struct icl_arena {
    struct icl_arena_block *newest;
    size_t allocated_bytes; /* sum of the sizes handed out */
} icl_arena;

/* Zeroed, aligned for any type, valid until the arena is emptied; NULL: out of memory. */
void *icl_arena_alloc(icl_arena *arena, size_t bytes);
void icl_arena_deinit(icl_arena *arena); /* leaves an empty arena that can be used again */

#endif
