/* train/recipe_parts.h - between the recipe (recipe.c) and its reader (recipe_yaml.c). */
#ifndef ICL_TRAIN_RECIPE_PARTS_H
#define ICL_TRAIN_RECIPE_PARTS_H

#include "train/recipe.h"

/* Adds one with its defaults; borrowed from the recipe. ICL_ENOMEM. */
icl_status icl_recipe_add_pool(icl_recipe_pool **out, icl_recipe *recipe);
icl_status icl_recipe_add_phase(icl_recipe_phase **out, icl_recipe *recipe);
icl_status icl_recipe_add_source(icl_recipe_source **out, icl_recipe_phase *phase);
icl_status icl_recipe_add_set(icl_recipe_set **out, icl_recipe *recipe);

/* Checks a phase that has been read and fills in what it leaves open. */
icl_status icl_recipe_complete_phase(const icl_recipe *recipe, icl_recipe_phase *phase);

/* Reads YAML into a recipe that holds the defaults. */
icl_status icl_recipe_read(icl_recipe *recipe, const char *bytes, size_t length);

#endif
