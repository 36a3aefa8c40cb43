/* One lane of plain C. */

#define LANES 1
typedef int32_t lanes;
typedef int64_t long_lanes;

/* Instructions take registers here. */
#define LANES_LOADED(v) (void)(v)

static inline lanes lanes_splat(int32_t x)
{
    return x;
}

static inline lanes lanes_load(const int32_t *x)
{
    return *x;
}

static inline void lanes_store(int32_t *y, lanes v)
{
    *y = v;
}

/* Two int16_t a lane, or four bytes. */
static inline lanes lanes_load_words(const void *x)
{
    return (int32_t)dgqc_load_word(x);
}

/* int16_t to int32_t. */
static inline lanes lanes_load16(const int16_t *x)
{
    return *x;
}

/* Clamped to int16_t. */
static inline void lanes_store16(int16_t *y, lanes v)
{
    *y = (int16_t)(v < -32768 ? -32768 : v > 32767 ? 32767 : v);
}

/* The lowest byte of each lane. */
static inline void lanes_store8(uint8_t *y, lanes v)
{
    *y = (uint8_t)v;
}

/* Of four vectors, one after the other; bytes hold them. */
static inline void lanes_store8_four(uint8_t *y, lanes a, lanes b, lanes c, lanes d)
{
    y[0] = (uint8_t)a, y[1] = (uint8_t)b, y[2] = (uint8_t)c, y[3] = (uint8_t)d;
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline lanes lanes_subtract(lanes a, lanes b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

static inline lanes lanes_multiply(lanes a, lanes b)
{
    return (int32_t)((uint32_t)a * (uint32_t)b);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    return a & b;
}

static inline lanes lanes_xor(lanes a, lanes b)
{
    return a ^ b;
}

static inline lanes lanes_maximum(lanes a, lanes b)
{
    return a > b ? a : b;
}

/* Of lanes as uint32_t. */
static inline lanes lanes_minimum_unsigned(lanes a, lanes b)
{
    return (uint32_t)a < (uint32_t)b ? a : b;
}

/* By 0 .. 31 bits: arithmetic, as uint32_t, to the left. */
static inline lanes lanes_shift_right(lanes v, int by)
{
    return v >> by;
}

static inline lanes lanes_shift_right_unsigned(lanes v, int by)
{
    return (int32_t)((uint32_t)v >> by);
}

static inline lanes lanes_shift_left(lanes v, int by)
{
    return (int32_t)((uint32_t)v << by);
}

/* As uint32_t, each lane by its own number of bits, 0 .. 65535. */
static inline lanes lanes_shift_right_unsigned_each(lanes v, lanes by)
{
    return by < 32 ? (int32_t)((uint32_t)v >> by) : 0;
}

/* Arithmetic, each lane by its own number of bits, 0 .. 31. */
static inline lanes lanes_shift_right_each(lanes v, lanes by)
{
    return v >> by;
}

/* (a * b) >> 16 of lower halves as int16_t, in the lower half; the upper half may be anything. Not
 * both are -2^15. */
static inline lanes lanes_upper16(lanes a, lanes b)
{
    return (int16_t)(a & 65535) * (int16_t)(b & 65535) >> 16;
}

/* sum + a.low * b.low + a.high * b.high, halves of each lane as int16_t. */
static inline lanes lanes_dot16(lanes sum, lanes a, lanes b)
{
    const int32_t low = (int16_t)(a & 65535) * (int16_t)(b & 65535);
    return lanes_add(lanes_add(sum, low), (a >> 16) * (b >> 16));
}

/* Where 64 bits of a lane lie among LANES of them in memory: in their order. */
static inline size_t lanes_place(size_t lane)
{
    return lane;
}

static inline long_lanes long_lanes_load(const int64_t *x)
{
    return *x;
}

static inline void long_lanes_store(int64_t *y, long_lanes v)
{
    *y = v;
}

static inline long_lanes long_lanes_splat(int64_t x)
{
    return x;
}

static inline long_lanes long_lanes_add(long_lanes a, long_lanes b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* The whole product of each lane. */
static inline long_lanes lanes_multiply_long(lanes a, lanes b)
{
    return (int64_t)a * b;
}

/* sums[lane] += a * b of each lane, in their order. */
static inline void lanes_add_products(int64_t *sums, lanes a, lanes b)
{
    *sums += (int64_t)a * b;
}

/* Lanes as uint32_t. */
static inline long_lanes lanes_widen_unsigned(lanes v)
{
    return (int64_t)(uint32_t)v;
}

static inline long_lanes long_lanes_shift_left(long_lanes v, int by)
{
    return (int64_t)((uint64_t)v << by);
}

/* The upper 32 bits of each lane. */
static inline lanes long_lanes_upper(long_lanes v)
{
    return (int32_t)(v >> 32);
}

/* Over all lanes. */
static inline int64_t long_lanes_total(long_lanes v)
{
    return v;
}

static inline int32_t lanes_largest(lanes v)
{
    return v;
}
