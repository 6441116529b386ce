/* learn/bpe_split.h - GPT-2's split of text into the words that merges never cross:
 *
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 */
#ifndef ICL_LEARN_BPE_SPLIT_H
#define ICL_LEARN_BPE_SPLIT_H

#include <stddef.h>

/* Where the word that starts at `at` ends. `text` is valid UTF-8, at < length. */
size_t icl_bpe_word_end(const char *text, size_t length, size_t at);

#endif
