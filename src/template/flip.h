/* template/flip.h - a template turned round: the answer first, then the input.
 *
 * What stands between an input and its answer is the template's final literal text and the answer
 * prefix. "Text: {{ text }}\nLabel:" with the prefix " " writes
 *
 *   Text: fine\nLabel: good       and flipped      Label: good\nText: fine
 *
 * The blanks that lead to the cue now lead to the input; where there are none it is a space. A
 * template without final words flips to "good fine".
 */
#ifndef ICL_TEMPLATE_FLIP_H
#define ICL_TEMPLATE_FLIP_H

#include <stddef.h>

#include <icl/status.h>

typedef struct icl_flip {
    char *cue;          /* "Label: ", before the answer */
    char *join;         /* "\n", between answer and input */
    size_t tail_length; /* bytes at the end of a rendered input that are not part of it */
} icl_flip;

/* `tail` [tail_length] is the template's, see icl_jinja_tail. *out is yours: icl_flip_deinit. */
icl_status icl_flip_init(icl_flip *out, const char *tail, size_t tail_length,
                         const char *answer_prefix);
void icl_flip_deinit(icl_flip *flip);

/* "Label: good"; malloc'd, yours, NULL when memory lacks. */
char *icl_flip_answer(const icl_flip *flip, const char *words);
/* "Text: fine" of the rendered "Text: fine\nLabel:"; malloc'd, yours, NULL when memory lacks. */
char *icl_flip_input(const icl_flip *flip, const char *rendered);

#endif
