/* Any bytes as a strategy line: refused with a sentence, or a canonical form that reads as itself.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <icl/run.h>

#undef NDEBUG
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *line = malloc(size + 1), *canonical = NULL, *again = NULL;
    if (line == NULL) return 0;
    memcpy(line, bytes, size);
    line[size] = '\0';
    if (icl_strategy_canonical(&canonical, line) == ICL_OK) {
        assert(icl_strategy_canonical(&again, canonical) == ICL_OK);
        assert(strcmp(canonical, again) == 0);
    } else
        assert(icl_error_message()[0] != '\0');
    free(line);
    free(canonical);
    free(again);
    return 0;
}
