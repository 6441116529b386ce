/* Hazards: YAML of any shape where a mapping, text, a number or a list was expected. A recipe that
 * reads is whole: numbers in their ranges, a name that is a file's, every call readable. */
#undef NDEBUG /* the checks are the point, in any build */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "train/recipe.h"
#include "train/start.h"

static void check_phase(const icl_recipe_phase *phase)
{
    double sum = 0;
    assert(phase->name != NULL && phase->steps > 0 && phase->micro_batches > 0);
    assert(phase->limits.rows > 0 && phase->limits.context > 1);
    assert(phase->limits.answers_max > 0 && phase->limits.candidates_max > 0);
    assert(icl_optimizer_options_check(&phase->optimizer) == ICL_OK);
    for (size_t i = 0; i < phase->source_count; i++) {
        char *pool = NULL;
        bool vectors = false;
        assert(icl_source_inspect(&pool, &vectors, phase->sources[i].call) == ICL_OK);
        free(pool);
        sum += phase->sources[i].weight;
    }
    assert(sum > 0);
}

static void check_recipe(const icl_recipe *recipe)
{
    assert(recipe->name[0] != '\0' && strchr(recipe->name, '/') == NULL);
    assert(icl_start_check(recipe->start) == ICL_OK);
    assert(recipe->phase_count > 0 && strlen(recipe->fingerprint) == 32);
    if (recipe->from == NULL) assert(icl_transformer_config_check(&recipe->model) == ICL_OK);
    for (size_t i = 0; i < recipe->phase_count; i++) check_phase(&recipe->phases[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    icl_recipe *recipe = NULL;
    if (icl_recipe_parse(&recipe, (const char *)data, size, "fuzz.yaml") == ICL_OK)
        check_recipe(recipe);
    else
        assert(recipe == NULL && icl_error_message()[0] != '\0');
    icl_recipe_close(recipe);
    return 0;
}
