/* Matrix units in plain C. */

/* What units hold, row by row, 64 bytes from one to the next; and how many rows of how many bytes each has. */
typedef struct {
    uint8_t bytes[DGQC_MATRIX_UNITS][DGQC_MATRIX_BYTES];
    uint8_t rows[DGQC_MATRIX_UNITS], row[DGQC_MATRIX_UNITS];
} dgqc_matrix_units;

static inline void dgqc_matrix_shape(dgqc_matrix_units *units, size_t rows, size_t quads)
{
    for (int unit = 0; unit < DGQC_MATRIX_UNITS; unit++) {
        units->row[unit] = (uint8_t)(unit == 5 ? quads * 4 : (size_t)DGQC_MATRIX_ROW);
        units->rows[unit] = (uint8_t)(unit < 6 ? rows : unit == 7 ? quads : (size_t)DGQC_MATRIX_QUADS);
    }
}

static inline void dgqc_matrix_load(dgqc_matrix_units *units, int to, const void *from, size_t stride)
{
    for (size_t r = 0; r < units->rows[to]; r++) {
        memcpy(units->bytes[to] + r * DGQC_MATRIX_ROW, (const uint8_t *)from + r * stride, units->row[to]);
    }
}

static inline void dgqc_matrix_store(const dgqc_matrix_units *units, int from, void *to, size_t stride)
{
    for (size_t r = 0; r < units->rows[from]; r++) {
        memcpy((uint8_t *)to + r * stride, units->bytes[from] + r * DGQC_MATRIX_ROW, units->row[from]);
    }
}

static inline void dgqc_matrix_dot(dgqc_matrix_units *units, int sums, int codes, int weights, int have_signs)
{
    for (size_t i = 0; i < (size_t)units->rows[sums] * DGQC_MATRIX_ROW; i += 4) {
        const size_t row = i / DGQC_MATRIX_ROW * DGQC_MATRIX_ROW, column = i % DGQC_MATRIX_ROW;
        uint32_t sum = dgqc_load_word(units->bytes[sums] + i);
        for (size_t k = 0; k < units->row[codes]; k++) {
            const uint8_t byte = units->bytes[weights][k / 4 * DGQC_MATRIX_ROW + column + k % 4];
            sum += (uint32_t)(units->bytes[codes][row + k] * (have_signs ? (int8_t)byte : (int32_t)byte));
        }
        dgqc_store_word(units->bytes[sums] + i, sum);
    }
}

static inline void dgqc_matrix_begin(void)
{
}

static inline void dgqc_matrix_end(void)
{
}

#define DGQC_MATRIX_HELD(units)                                                                               \
    dgqc_matrix_units units;                                                                                  \
    dgqc_matrix_shape(&(units), DGQC_MATRIX_ROWS, DGQC_MATRIX_QUADS);
#define DGQC_MATRIX_SHAPE(units, rows, quads) dgqc_matrix_shape(&(units), rows, quads)
#define DGQC_MATRIX_ZERO(units, to) memset((units).bytes[to], 0, DGQC_MATRIX_BYTES)
#define DGQC_MATRIX_LOAD(units, to, from, stride) dgqc_matrix_load(&(units), to, from, stride)
#define DGQC_MATRIX_STORE(units, from, to, stride) dgqc_matrix_store(&(units), from, to, stride)
#define DGQC_MATRIX_DOT(units, sums, codes, weights) dgqc_matrix_dot(&(units), sums, codes, weights, 1)
#define DGQC_MATRIX_DOT_UNSIGNED(units, sums, codes, weights) dgqc_matrix_dot(&(units), sums, codes, weights, 0)
