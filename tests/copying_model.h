/* tests/copying_model.h - a table model that copies: the next byte is likely to be the first letter
 * of the last demonstration's label, so every figure can be worked out by hand. */
#ifndef TESTS_COPYING_MODEL_H
#define TESTS_COPYING_MODEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { VOCAB_COUNT = 257 };

/* Position after the last "Label: " that has a letter behind it, or 0. */
static inline size_t last_label(const int32_t *context, size_t count)
{
    static const char mark[] = "Label: ";
    const size_t length = sizeof mark - 1;
    for (size_t at = count; at >= length + 1; at--) {
        size_t i = 0;
        while (i < length && context[at - 1 - length + i] == (unsigned char)mark[i]) i++;
        if (i == length) return at - 1;
    }
    return 0;
}

/* A blank after anything but a blank; then so many nats for the letter. */
static inline void copy_last_label(float *out, const int32_t *context, size_t count, float nats)
{
    memset(out, 0, VOCAB_COUNT * sizeof *out);
    if (context[count - 1] != ' ') {
        out[' '] = 20;
        return;
    }
    const size_t label = last_label(context, count);
    if (label > 0) out[context[label]] = nats;
}

#endif
