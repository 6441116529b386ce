/* index/words.h - cuts text into the words that lexical retrieval counts.
 *
 *   icl_text word = { 0 };
 *   icl_word_reader reader = icl_word_reader_new("Don't pay 3.50!", false);
 *   while (icl_word_next(&word, &reader)) ...   // Don't, pay, 3.50, !
 *
 * A word is
 *   - a run of letters, digits and connectors (_), of any script; an apostrophe between two letters
 *     and a point or comma between two digits belong to it;
 *   - one Chinese character or one Japanese kana, since those scripts put no spaces between words;
 *   - any other visible character (punctuation, symbol, emoji), alone;
 * each together with the combining marks that follow it. White space, control characters and bytes
 * that are not UTF-8 only separate. Words are compared byte by byte: nothing is stemmed or
 * recomposed.
 */
#ifndef ICL_INDEX_WORDS_H
#define ICL_INDEX_WORDS_H

#include <stdbool.h>

#include "base/text.h"

typedef struct icl_word_reader {
    const char *at, *end;
    bool lower; /* map every character to lower case */
} icl_word_reader;

/* `text` is borrowed. */
icl_word_reader icl_word_reader_new(const char *text, bool lower);

/* Replaces `word` by the next word; false at the end. A lack of memory shows in icl_text_status. */
bool icl_word_next(icl_text *word, icl_word_reader *reader);

#endif
