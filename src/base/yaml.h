/* base/yaml.h - strict YAML: every key has a rule, whatever has none is refused with its place and
 * the nearest key.
 *
 *   typedef struct thing { char *name; size_t size; } thing;
 *   static const icl_yaml_rule rules[] = {
 *       { .name = "name", .read = icl_yaml_set_text, .offset = offsetof(thing, name) },
 *       { .name = "size", .read = icl_yaml_set_size, .offset = offsetof(thing, size),
 *         .minimum = 1, .maximum = 64 },
 *       { .name = "parts", .read = read_parts },       (a reader of your own)
 *   };
 *   status = icl_yaml_parse(&thing, bytes, length, "thing.yaml", rules, 3);
 *
 * Sentences begin with "thing.yaml:3:9: ", places counted from 1.
 */
#ifndef ICL_BASE_YAML_H
#define ICL_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "base/text.h"

struct fy_node;

/* An entry of a mapping, or an item of a list under that key. */
typedef struct icl_yaml_value {
    const char *path;
    struct fy_node *key, *node; /* node may be NULL: nothing stands there */
} icl_yaml_value;

typedef struct icl_yaml_rule icl_yaml_rule;
typedef icl_status icl_yaml_reader(void *self, const icl_yaml_value *value,
                                   const icl_yaml_rule *rule);

struct icl_yaml_rule {
    const char *name;
    icl_yaml_reader *read;
    size_t offset;              /* of the field in `self`, for readers that use it */
    double minimum, maximum;    /* of numbers */
    const char *const *choices; /* NULL-terminated */
};

/* Reads a whole document into `self`. ICL_EPARSE: no YAML, or not as the rules want it. */
icl_status icl_yaml_parse(void *self, const char *bytes, size_t length, const char *path,
                          const icl_yaml_rule *rules, size_t rule_count);

/* --- what a reader may do with its value --- */

/* ICL_EPARSE with the value's place. */
__attribute__((format(printf, 2, 3))) icl_status icl_yaml_refuse(const icl_yaml_value *value,
                                                                 const char *format, ...);
/* Prepends the place to the current sentence and makes it ICL_EPARSE, but for ICL_ENOMEM. The
 * place of the value, or of its key. */
icl_status icl_yaml_place(icl_status status, const icl_yaml_value *value);
icl_status icl_yaml_place_of_key(icl_status status, const icl_yaml_value *value);

bool icl_yaml_is_list(const icl_yaml_value *value);
bool icl_yaml_is_mapping(const icl_yaml_value *value);
bool icl_yaml_is_text(const icl_yaml_value *value);
/* The key's name, quoted for a sentence. */
const char *icl_yaml_key(char *out, const icl_yaml_value *value);

/* Appends a scalar; valid UTF-8 without NUL. */
icl_status icl_yaml_text(icl_text *out, const icl_yaml_value *value);
icl_status icl_yaml_whole(uint64_t *out, const icl_yaml_value *value, uint64_t minimum,
                          uint64_t maximum);
icl_status icl_yaml_real(double *out, const icl_yaml_value *value, double minimum, double maximum);
icl_status icl_yaml_choice(size_t *out, const icl_yaml_value *value, const char *const *names);
/* A mapping by its rules. */
icl_status icl_yaml_entries(void *self, const icl_yaml_value *value, const icl_yaml_rule *rules,
                            size_t rule_count);

typedef icl_status icl_yaml_visitor(void *self, const icl_yaml_value *item);
/* Visits the items of a list that is not empty; a scalar is a list of one. */
icl_status icl_yaml_each(void *self, const icl_yaml_value *value, icl_yaml_visitor *visit);
/* Visits the entries of a mapping whose keys are free and text; it must have some. */
icl_status icl_yaml_each_entry(void *self, const icl_yaml_value *value, icl_yaml_visitor *visit);

/* --- readers of a field at rule->offset --- */

icl_yaml_reader icl_yaml_set_text;   /* char *, freed and replaced */
icl_yaml_reader icl_yaml_set_size;   /* size_t, within minimum..maximum */
icl_yaml_reader icl_yaml_set_u64;    /* uint64_t */
icl_yaml_reader icl_yaml_set_real;   /* double */
icl_yaml_reader icl_yaml_set_float;  /* float */
icl_yaml_reader icl_yaml_set_bool;   /* bool: true | false */
icl_yaml_reader icl_yaml_set_choice; /* an enumeration, index among choices */

#endif
