/* train/prose.h - cutting running text: blanks, words and sentences. All texts are valid UTF-8.
 *
 * A word is a run of characters between blanks; in scripts written without blanks (Han, Kana) every
 * character is a word.
 */
#ifndef ICL_TRAIN_PROSE_H
#define ICL_TRAIN_PROSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* Appends the text with runs of blanks and control characters as one blank, none at either end. A
 * run that holds a line end becomes "\n" when `keep_lines`. */
void icl_prose_normalise(icl_text *out, const char *text, size_t length, bool keep_lines);

size_t icl_prose_word_count(const char *text, size_t length);
/* Bytes of the first `word_count` words; `length` when there are no more than that. */
size_t icl_prose_words(const char *text, size_t length, size_t word_count);

/* Byte behind the sentence that begins at `start`, in a normalised line; > start. A sentence ends
 * at . ! ? with the quotes that close there, unless the stop belongs to an abbreviation ("Mr.
 * Smith"), an initial ("J. S. Mill") or the text goes on in lower case. */
size_t icl_prose_sentence_end(const char *line, size_t length, size_t start);

#endif
