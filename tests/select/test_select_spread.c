/* Facility location and diversity against scans of everything, and the bound that submodularity
 * promises. */
#include <math.h>

#include "base/rng.h"
#include "math/matrix.h"
#include "near.h"
#include "select/picks.h"

enum { COLUMNS = 8, MANY = 700, FEW = 11 };

static void fill(float *vectors, size_t count, uint64_t seed)
{
    icl_rng rng = icl_rng_new(seed, "spread", "", "test");
    for (size_t i = 0; i < count * COLUMNS; i++) vectors[i] = (float)icl_rng_normal(&rng);
    icl_matrix_normalise_rows(vectors, vectors, count, COLUMNS);
}

static icl_select_input input_of(const float *vectors, size_t count)
{
    return (icl_select_input){ .pool_count = count,
                               .pool_vectors = vectors,
                               .vector_size = COLUMNS,
                               .task = "spread",
                               .seed = 3 };
}

static double cosine(const float *vectors, size_t a, size_t b)
{
    return icl_vector_dot(vectors + a * COLUMNS, vectors + b * COLUMNS, COLUMNS);
}

/* What facility location maximises, from -1 for an item that nothing is near to. */
static double nearness(const float *vectors, size_t count, const size_t *picks, size_t budget)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double best = -1;
        for (size_t p = 0; p < budget; p++) best = fmax(best, cosine(vectors, i, picks[p]));
        sum += best + 1;
    }
    return sum;
}

static void test_select_spread__facilities_are_the_same_with_and_without_kept_cosines(void **state)
{
    (void)state;
    static float vectors[MANY * COLUMNS];
    size_t kept[40], computed[40];
    fill(vectors, MANY, 1);
    const icl_select_input input = input_of(vectors, MANY);
    pick_well(kept, 40, &input, "facility-location");
    pick_well(computed, 40, &input, "facility-location(memory_mib=0)");
    assert_memory_equal(kept, computed, sizeof kept);
    for (size_t p = 0; p < 4; p++) {
        const double value = nearness(vectors, MANY, kept, p + 1);
        size_t other[4];
        memcpy(other, kept, sizeof other);
        for (other[p] = 0; other[p] < MANY; other[p]++)
            assert_true(nearness(vectors, MANY, other, p + 1) < value + 1e-4);
    }
}

static void test_select_spread__facilities_reach_their_share_of_the_optimum(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        float vectors[FEW * COLUMNS];
        size_t picks[3], set[3];
        double optimum = 0;
        fill(vectors, FEW, seed);
        const icl_select_input input = input_of(vectors, FEW);
        pick_well(picks, 3, &input, "facility-location");
        for (set[0] = 0; set[0] < FEW; set[0]++)
            for (set[1] = 0; set[1] < set[0]; set[1]++)
                for (set[2] = 0; set[2] < set[1]; set[2]++)
                    optimum = fmax(optimum, nearness(vectors, FEW, set, 3));
        assert_true(nearness(vectors, FEW, picks, 3) >= (1 - exp(-1)) * optimum);
    }
}

static void test_select_spread__copies_are_picked_last_as_facilities(void **state)
{
    (void)state;
    float vectors[FEW * COLUMNS];
    size_t picks[FEW];
    fill(vectors, FEW, 2);
    memcpy(&vectors[7 * COLUMNS], &vectors[2 * COLUMNS], COLUMNS * sizeof *vectors);
    const icl_select_input input = input_of(vectors, FEW);
    pick_well(picks, FEW, &input, "facility-location");
    assert_int_equal(picks[FEW - 1], 7);
}

static void test_select_spread__diversity_takes_the_least_sum_of_cosines(void **state)
{
    (void)state;
    static float vectors[MANY * COLUMNS];
    size_t picks[30];
    fill(vectors, MANY, 4);
    const icl_select_input input = input_of(vectors, MANY);
    pick_well(picks, 30, &input, "diversity");
    for (size_t p = 1; p < 30; p++) {
        double least = INFINITY, own = 0;
        for (size_t i = 0; i < MANY; i++) {
            double sum = 0;
            bool picked = false;
            for (size_t before = 0; before < p; before++) {
                sum += cosine(vectors, i, picks[before]);
                picked |= picks[before] == i;
            }
            if (!picked) least = fmin(least, sum);
            if (i == picks[p]) own = sum;
        }
        assert_near(own, least, 1e-5);
    }
}

static void test_select_spread__diversity_begins_where_the_seed_says(void **state)
{
    (void)state;
    static float vectors[MANY * COLUMNS];
    size_t first = 0, other = 0;
    fill(vectors, MANY, 4);
    icl_select_input input = input_of(vectors, MANY);
    pick_well(&first, 1, &input, "diversity");
    input.seed++;
    pick_well(&other, 1, &input, "diversity");
    assert_true(first != other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_spread__facilities_are_the_same_with_and_without_kept_cosines),
        cmocka_unit_test(test_select_spread__facilities_reach_their_share_of_the_optimum),
        cmocka_unit_test(test_select_spread__copies_are_picked_last_as_facilities),
        cmocka_unit_test(test_select_spread__diversity_takes_the_least_sum_of_cosines),
        cmocka_unit_test(test_select_spread__diversity_begins_where_the_seed_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
