/* Matrix units in plain C. */

typedef struct {
    uint8_t bytes[DGQC_MATRIX_UNITS][DGQC_MATRIX_BYTES];
} dgqc_matrix_units;

static inline void dgqc_matrix_move(const void *from, size_t from_stride, void *to, size_t to_stride)
{
    for (size_t r = 0; r < DGQC_MATRIX_ROWS; r++) {
        DGQC_COPY_FEW((uint8_t *)to + r * to_stride, (const uint8_t *)from + r * from_stride, DGQC_MATRIX_ROW);
    }
}

static inline void dgqc_matrix_dot(uint8_t *sums, const uint8_t *codes, const uint8_t *weights)
{
    for (size_t i = 0; i < DGQC_MATRIX_BYTES; i += 4) {
        const size_t row = i / DGQC_MATRIX_ROW * DGQC_MATRIX_ROW, column = i % DGQC_MATRIX_ROW;
        uint32_t sum = dgqc_load_word(sums + i);
        for (size_t k = 0; k < DGQC_MATRIX_ROW; k++) {
            const int32_t weight = (int8_t)weights[k / 4 * DGQC_MATRIX_ROW + column + k % 4];
            sum += (uint32_t)(codes[row + k] * weight);
        }
        dgqc_store_word(sums + i, sum);
    }
}

static inline void dgqc_matrix_begin(void)
{
}

static inline void dgqc_matrix_end(void)
{
}

#define DGQC_MATRIX_HELD(units) dgqc_matrix_units units;
#define DGQC_MATRIX_ZERO(units, to) memset((units).bytes[to], 0, DGQC_MATRIX_BYTES)
#define DGQC_MATRIX_LOAD(units, to, from, stride)                                                             \
    dgqc_matrix_move(from, stride, (units).bytes[to], DGQC_MATRIX_ROW)
#define DGQC_MATRIX_STORE(units, from, to, stride)                                                            \
    dgqc_matrix_move((units).bytes[from], DGQC_MATRIX_ROW, to, stride)
#define DGQC_MATRIX_DOT(units, sums, codes, weights)                                                          \
    dgqc_matrix_dot((units).bytes[sums], (units).bytes[codes], (units).bytes[weights])
