/* SPDX-License-Identifier: MIT */
/*
 * With AVX2. A register has eight numbers of 32 bits in two lanes of four; most instructions keep
 * lanes apart. So of eight descriptors the first four stand in the lower lanes and the others in
 * the upper ones, and a segment is put together from the same lanes.
 *
 * A descriptor that the NIC may be writing is loaded once, whole. Processors with AVX guarantee
 * that an aligned load of 16 bytes by a VEX.128 instruction is one access (Intel SDM vol. 3A,
 * "Guaranteed Atomic Operations"; AMD64 APM vol. 2, "Access Atomicity"); one of 32 bytes they do
 * not. So DD and what comes with it are of one moment.
 */
#include "vector.h"

#include "ixgbe/tables/fields.h"

#ifdef __x86_64__

#include <immintrin.h>

#include "mmio.h"

#define AVX2   __attribute__((target("avx2")))
#define RX_BAD (IXGBE_RX_IP_BAD | IXGBE_RX_L4_BAD)

bool vector_usable(void)
{
	return __builtin_cpu_supports("avx2");
}

/* ---- Receive ---- */

/* Eight descriptors by their dwords. */
struct eight {
	__m256i info, hash, status, lengths;
};

/* Descriptor i in the lower lane, i + 4 in the upper one. */
static inline AVX2 __m256i desc_load_two(const union ixgbe_desc *desc)
{
	const __m128i low = *(const volatile __m128i *)&desc[0];
	const __m128i high = *(const volatile __m128i *)&desc[VECTOR_RX_GROUP / 2];

	return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

static inline AVX2 struct eight desc_load_eight(const union ixgbe_desc *desc)
{
	const __m256i d0 = desc_load_two(&desc[0]), d1 = desc_load_two(&desc[1]);
	const __m256i d2 = desc_load_two(&desc[2]), d3 = desc_load_two(&desc[3]);
	const __m256i low01 = _mm256_unpacklo_epi32(d0, d1), low23 = _mm256_unpacklo_epi32(d2, d3);
	const __m256i high01 = _mm256_unpackhi_epi32(d0, d1);
	const __m256i high23 = _mm256_unpackhi_epi32(d2, d3);

	return (struct eight){
		.info = _mm256_unpacklo_epi64(low01, low23),
		.hash = _mm256_unpackhi_epi64(low01, low23),
		.status = _mm256_unpacklo_epi64(high01, high23),
		.lengths = _mm256_unpackhi_epi64(high01, high23),
	};
}

/*
 * The flags RX_IPV4 to RX_L4_BAD are byte 1. They are looked up in three tables of 16 bytes each,
 * and are there if all three have them: by what kind of IP header there is (IPV4, IPV4E, IPV6,
 * IPV6E), which TCP or UDP header, and what was checked (L4I, IPCS, L4E, IPE). See rx_allowed and
 * rx_found in rx.c, which say why.
 */
#define FLAG(name)  (IXGBE_RX_##name >> 8)
#define ROWS4(X, i) X(i), X((i) + 1), X((i) + 2), X((i) + 3)
#define ROWS16(X)   ROWS4(X, 0), ROWS4(X, 4), ROWS4(X, 8), ROWS4(X, 12)
#define TIMES8(n)   n, n, n, n, n, n, n, n

#define BY_IP(i)                                                                                   \
	(FLAG(TCP) | FLAG(UDP) | FLAG(L4_GOOD) | FLAG(L4_BAD) |                                    \
	 (((i)&3) ? FLAG(IPV4) | FLAG(IP_GOOD) | FLAG(IP_BAD) : 0) | (((i)&12) ? FLAG(IPV6) : 0))
#define BY_L4(i)                                                                                   \
	(FLAG(IPV4) | FLAG(IPV6) | FLAG(IP_GOOD) | (((i)&3) ? FLAG(IP_BAD) : 0) |                  \
	 (((i)&1) ? FLAG(TCP) | FLAG(L4_GOOD) | FLAG(L4_BAD) : 0) |                                \
	 (((i)&2) ? FLAG(UDP) | FLAG(L4_GOOD) : 0))
#define BY_CHECK(i)                                                                                \
	(FLAG(IPV4) | FLAG(IPV6) | FLAG(TCP) | FLAG(UDP) |                                         \
	 (((i)&1) ? (((i)&4) ? FLAG(L4_BAD) : FLAG(L4_GOOD)) : 0) |                                \
	 (((i)&2) ? (((i)&8) ? FLAG(IP_BAD) : FLAG(IP_GOOD)) : 0))
#define BY_RSS(i) ((i) ? IXGBE_RX_RSS : 0)

struct rx_constants {
	__m256i must, looked, one, len;
	__m256i ip, l4, checked, wrong, rss, headers;
	__m256i by_ip, by_l4, by_check, by_rss;
};

/* NOLINTBEGIN(misc-redundant-expression): one of the indices is 0 */
static const union {
	_Alignas(32) uint32_t dword[8];
	uint8_t byte[32];
} rx_constant[] = {
	{.dword = {TIMES8(IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP)}},
	{.dword = {TIMES8(IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP | IXGBE_RXD_ERR_RXE)}},
	{.dword = {TIMES8(1)}},
	{.dword = {TIMES8(IXGBE_RXD_LENGTH)}},
	{.dword = {TIMES8(0x0f00)}},
	{.dword = {TIMES8(0x8300)}},
	{.dword = {TIMES8(0x0300)}},
	{.dword = {TIMES8(0x0c00)}},
	{.dword = {TIMES8(IXGBE_RXD_RSS_TYPE)}},
	{.dword = {TIMES8(0xff00)}},
	{.byte = {ROWS16(BY_IP), ROWS16(BY_IP)}},
	{.byte = {ROWS16(BY_L4), ROWS16(BY_L4)}},
	{.byte = {ROWS16(BY_CHECK), ROWS16(BY_CHECK)}},
	{.byte = {ROWS16(BY_RSS), ROWS16(BY_RSS)}},
};
/* NOLINTEND(misc-redundant-expression) */
static_assert(sizeof(rx_constant) == sizeof(struct rx_constants), "one for each");

/* A compiler that knows what is in them makes each anew in each turn of the loop, by three
 * instructions. */
static inline const struct rx_constants *rx_constants(void)
{
	const struct rx_constants *hidden = (const void *)rx_constant;

	__asm__("" : "+r"(hidden));
	return hidden;
}

static_assert(IXGBE_SEG_EOP == IXGBE_RXD_STAT_EOP && IXGBE_SEG_VLAN == IXGBE_RXD_STAT_VP,
	      "status bits are flags as they are");
static_assert(IXGBE_RXD_TYPE_IPV4 == 1 << 4 && IXGBE_RXD_TYPE_TCP == 1 << 8 &&
		      IXGBE_RXD_TYPE_ETQF == 1 << 15 && IXGBE_RXD_STAT_L4I == 1 << 5 &&
		      IXGBE_RXD_ERR_L4E == 1 << 30,
	      "shifted into byte 1");

/* `kept`: the status bits that are flags. An index above 127 finds 0: so an EtherType filter's
 * match, where the type is the filter's number, has no headers. */
static inline AVX2 __m256i rx_flags_of_eight(const struct eight *d, const struct rx_constants *k,
					     __m256i kept)
{
	const __m256i ip = _mm256_and_si256(_mm256_slli_epi32(d->info, 4), k->ip);
	const __m256i l4 = _mm256_and_si256(d->info, k->l4);
	const __m256i check =
		_mm256_or_si256(_mm256_and_si256(_mm256_slli_epi32(d->status, 3), k->checked),
				_mm256_and_si256(_mm256_srli_epi32(d->status, 20), k->wrong));
	const __m256i rss = _mm256_and_si256(d->info, k->rss);
	const __m256i headers =
		_mm256_and_si256(_mm256_and_si256(_mm256_shuffle_epi8(k->by_ip, ip),
						  _mm256_shuffle_epi8(k->by_l4, l4)),
				 _mm256_shuffle_epi8(k->by_check, check));

	return _mm256_or_si256(_mm256_or_si256(_mm256_and_si256(headers, k->headers),
					       _mm256_shuffle_epi8(k->by_rss, rss)),
			       _mm256_and_si256(d->status, kept));
}

/* Whether all eight are done, whole frames, and of a good length: `limit` is one less than the
 * longest. */
static inline AVX2 bool all_good(const struct eight *d, const struct rx_constants *k, __m256i len,
				 __m256i limit)
{
	const __m256i less_one = _mm256_sub_epi32(len, k->one);
	const __m256i whole = _mm256_cmpeq_epi32(_mm256_and_si256(d->status, k->looked), k->must);
	const __m256i fits = _mm256_cmpeq_epi32(_mm256_min_epu32(less_one, limit), less_one);

	return _mm256_movemask_epi8(_mm256_and_si256(whole, fits)) == -1;
}

/* Segment i of the lower lanes' halves, i + 4 of the upper ones'. */
static inline AVX2 void store_two(struct ixgbe_seg *seg, __m256i low, __m256i high)
{
	__m128i *const first = (__m128i *)&seg[0];
	__m128i *const second = (__m128i *)&seg[VECTOR_RX_GROUP / 2];

	_mm_storeu_si128(&first[0], _mm256_castsi256_si128(low));
	_mm_storeu_si128(&first[1], _mm256_castsi256_si128(high));
	_mm_storeu_si128(&second[0], _mm256_extracti128_si256(low, 1));
	_mm_storeu_si128(&second[1], _mm256_extracti128_si256(high, 1));
}

static_assert(sizeof(struct ixgbe_seg) == 32 && offsetof(struct ixgbe_seg, offset) == 8 &&
		      offsetof(struct ixgbe_seg, len) == 12 &&
		      offsetof(struct ixgbe_seg, flags) == 16 &&
		      offsetof(struct ixgbe_seg, vlan) == 20 &&
		      offsetof(struct ixgbe_seg, rss_hash) == 28,
	      "put together here");

static inline AVX2 __m256i buf_load_two(struct ixgbe_buf *const *buf)
{
	const __m128i low = _mm_loadu_si128((const __m128i *)buf);
	const __m128i high = _mm_loadu_si128((const __m128i *)(buf + VECTOR_RX_GROUP / 2));

	return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

static inline AVX2 void seg_store_eight(struct ixgbe_seg *seg, struct ixgbe_buf *const *buf,
					__m256i offset, __m256i len, __m256i flags,
					const struct eight *d)
{
	const __m256i vlan = _mm256_srli_epi32(d->lengths, 16), none = _mm256_setzero_si256();
	const __m256i buf01 = buf_load_two(&buf[0]), buf23 = buf_load_two(&buf[2]);
	const __m256i place01 = _mm256_unpacklo_epi32(offset, len);
	const __m256i place23 = _mm256_unpackhi_epi32(offset, len);
	const __m256i flags01 = _mm256_unpacklo_epi32(flags, vlan);
	const __m256i flags23 = _mm256_unpackhi_epi32(flags, vlan);
	const __m256i hash01 = _mm256_unpacklo_epi32(none, d->hash);
	const __m256i hash23 = _mm256_unpackhi_epi32(none, d->hash);

	store_two(&seg[0], _mm256_unpacklo_epi64(buf01, place01),
		  _mm256_unpacklo_epi64(flags01, hash01));
	store_two(&seg[1], _mm256_unpackhi_epi64(buf01, place01),
		  _mm256_unpackhi_epi64(flags01, hash01));
	store_two(&seg[2], _mm256_unpacklo_epi64(buf23, place23),
		  _mm256_unpacklo_epi64(flags23, hash23));
	store_two(&seg[3], _mm256_unpackhi_epi64(buf23, place23),
		  _mm256_unpackhi_epi64(flags23, hash23));
}

/* Of eight numbers of 32 bits that add up to less than 2^32. */
static AVX2 uint32_t sum_of_eight(__m256i of)
{
	__m128i sum = _mm_add_epi32(_mm256_castsi256_si128(of), _mm256_extracti128_si256(of, 1));

	sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
	return (uint32_t)_mm_cvtsi128_si32(sum) + (uint32_t)_mm_extract_epi32(sum, 1);
}

AVX2 struct vector_sum vector_rx(const union ixgbe_desc *desc, struct ixgbe_buf *const *buf,
				 struct ixgbe_seg *seg, uint32_t max,
				 const struct vector_rx_terms *terms)
{
	const struct rx_constants *const k = rx_constants();
	const __m256i offset = _mm256_set1_epi32((int)terms->headroom);
	const __m256i limit = _mm256_set1_epi32((int)terms->buf_bytes - 1);
	const __m256i kept = _mm256_set1_epi32((int)terms->status);
	const struct ixgbe_seg *const first = seg, *const end = seg + max / VECTOR_RX_GROUP *
									      VECTOR_RX_GROUP;
	__m256i bytes = _mm256_setzero_si256(), seen = _mm256_setzero_si256();

	for (; seg < end; seg += VECTOR_RX_GROUP) {
		struct eight d;
		__m256i len, flags;

		/* Most groups that are not whole have no last one yet. */
		if (!(desc_load(&desc[VECTOR_RX_GROUP - 1], 1) & IXGBE_RXD_STAT_DD))
			break;
		d = desc_load_eight(desc);
		len = _mm256_and_si256(d.lengths, k->len);
		if (!all_good(&d, k, len, limit))
			break;
		flags = rx_flags_of_eight(&d, k, kept);
		seg_store_eight(seg, buf, offset, len, flags, &d);
		bytes = _mm256_add_epi32(bytes, len);
		seen = _mm256_or_si256(seen, flags);
		desc += VECTOR_RX_GROUP;
		buf += VECTOR_RX_GROUP;
	}
	dma_rmb(); /* the frames are read after their descriptors */
	return (struct vector_sum){
		.n = (uint32_t)(seg - first),
		.flags = _mm256_testz_si256(seen, _mm256_set1_epi32(RX_BAD)) ? 0 : RX_BAD,
		.bytes = sum_of_eight(bytes),
	};
}

/* ---- Buffers and descriptors, four at a time ---- */

/* Stores four descriptors by their halves. The NIC has them when the tail is written. */
static inline AVX2 void desc_store_four(union ixgbe_desc *desc, __m256i half0, __m256i half1)
{
	const __m256i even = _mm256_unpacklo_epi64(half0, half1);
	const __m256i odd = _mm256_unpackhi_epi64(half0, half1);
	__m256i *const to = (__m256i *)desc;

	_mm256_storeu_si256(&to[0], _mm256_permute2x128_si256(even, odd, 0x20));
	_mm256_storeu_si256(&to[1], _mm256_permute2x128_si256(even, odd, 0x31));
}

/* What is said of a pool, four times each. */
struct pool_of_four {
	__m256i record, last, scale, iova, size;
};

static inline AVX2 struct pool_of_four pool_load_four(const struct vector_pool *pool)
{
	return (struct pool_of_four){
		.record = _mm256_set1_epi64x((long long)(uintptr_t)pool->record),
		.last = _mm256_set1_epi64x((long long)pool->last),
		.scale = _mm256_set1_epi64x((long long)pool->scale),
		.iova = _mm256_set1_epi64x((long long)pool->iova),
		.size = _mm256_set1_epi64x((long long)pool->size),
	};
}

/* Numbers of 64 bits, whose signs say whether a distance from the first record is none within the
 * pool. */
static inline AVX2 __m256i outside(__m256i distance, const struct pool_of_four *pool)
{
	return _mm256_or_si256(distance, _mm256_cmpgt_epi64(distance, pool->last));
}

/* Of the byte `offset` of each buffer. */
static inline AVX2 __m256i iova_of_four(__m256i distance, const struct pool_of_four *pool,
					__m256i offset)
{
	return _mm256_add_epi64(_mm256_mul_epu32(distance, pool->scale),
				_mm256_add_epi64(pool->iova, offset));
}

AVX2 uint32_t vector_refill(union ixgbe_desc *desc, struct ixgbe_buf **to,
			    struct ixgbe_buf *const *from, uint32_t n,
			    const struct vector_pool *pool, uint32_t headroom)
{
	struct pool_of_four of = pool_load_four(pool);
	struct ixgbe_buf **const first = to, **const end = to + n / VECTOR_GROUP * VECTOR_GROUP;

	of.iova = _mm256_add_epi64(of.iova, _mm256_set1_epi64x(headroom));
	for (; to < end; to += VECTOR_GROUP) {
		const __m256i buf = _mm256_loadu_si256((const __m256i *)from);
		const __m256i distance = _mm256_sub_epi64(buf, of.record);

		_mm256_storeu_si256((__m256i *)to, buf);
		desc_store_four(desc, iova_of_four(distance, &of, _mm256_setzero_si256()),
				_mm256_setzero_si256());
		from += VECTOR_GROUP;
		desc += VECTOR_GROUP;
	}
	return (uint32_t)(to - first);
}

AVX2 uint32_t vector_put(struct ixgbe_buf **top, struct ixgbe_buf *const *at, uint32_t n,
			 const struct vector_pool *pool)
{
	const struct pool_of_four of = pool_load_four(pool);
	struct ixgbe_buf **const first = top, **const end = top + n / VECTOR_GROUP * VECTOR_GROUP;

	for (; top < end; top += VECTOR_GROUP) {
		const __m256i buf = _mm256_loadu_si256((const __m256i *)at);
		const __m256i bad = outside(_mm256_sub_epi64(buf, of.record), &of);

		if (_mm256_movemask_pd(_mm256_castsi256_pd(bad)) != 0)
			break;
		_mm256_storeu_si256((__m256i *)top, buf);
		at += VECTOR_GROUP;
	}
	return (uint32_t)(top - first);
}

/* ---- Transmit ---- */

/* Four segments by their fields, each 64 bits wide. */
struct four {
	__m256i buf, offset, len, flags;
};

static inline AVX2 struct four seg_load_four(const struct ixgbe_seg *seg)
{
	const __m256i *const from = (const __m256i *)seg;
	const __m256i s0 = _mm256_loadu_si256(&from[0]), s1 = _mm256_loadu_si256(&from[1]);
	const __m256i s2 = _mm256_loadu_si256(&from[2]), s3 = _mm256_loadu_si256(&from[3]);
	const __m256i first01 = _mm256_unpacklo_epi64(s0, s1);
	const __m256i first23 = _mm256_unpacklo_epi64(s2, s3);
	const __m256i second01 = _mm256_unpackhi_epi64(s0, s1);
	const __m256i second23 = _mm256_unpackhi_epi64(s2, s3);
	const __m256i place = _mm256_permute2x128_si256(second01, second23, 0x20);

	return (struct four){
		.buf = _mm256_permute2x128_si256(first01, first23, 0x20),
		.offset = _mm256_and_si256(place, _mm256_set1_epi64x(UINT32_MAX)),
		.len = _mm256_srli_epi64(place, 32),
		.flags = _mm256_permute2x128_si256(first01, first23, 0x31),
	};
}

/* What is asked of frames, four times each. */
struct tx_of_four {
	__m256i noticed, alone, least, most;
};

static inline AVX2 bool tx_all_simple(const struct four *s, __m256i distance,
				      const struct pool_of_four *pool,
				      const struct tx_of_four *terms)
{
	const __m256i alone =
		_mm256_cmpeq_epi64(_mm256_and_si256(s->flags, terms->noticed), terms->alone);
	const __m256i out = _mm256_cmpgt_epi64(_mm256_add_epi64(s->offset, s->len), pool->size);
	const __m256i shorter = _mm256_cmpgt_epi64(terms->least, s->len);
	const __m256i longer = _mm256_cmpgt_epi64(s->len, terms->most);
	const __m256i bad = _mm256_or_si256(_mm256_or_si256(shorter, longer),
					    _mm256_or_si256(out, outside(distance, pool)));

	return _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_andnot_si256(bad, alone))) == 0xf;
}

AVX2 struct vector_sum vector_tx(union ixgbe_desc *desc, struct ixgbe_buf **to,
				 const struct ixgbe_seg *seg, uint32_t max,
				 const struct vector_pool *pool,
				 const struct vector_tx_terms *terms, uint64_t most)
{
	const struct pool_of_four of = pool_load_four(pool);
	const struct tx_of_four asked = {
		.noticed = _mm256_set1_epi64x((long long)terms->noticed),
		.alone = _mm256_set1_epi64x(IXGBE_SEG_EOP),
		.least = _mm256_set1_epi64x((long long)terms->least),
		.most = _mm256_set1_epi64x((long long)most),
	};
	const __m256i command = _mm256_set1_epi64x((long long)terms->command);
	const struct ixgbe_seg *const first = seg, *const end =
							   seg + max / VECTOR_GROUP * VECTOR_GROUP;
	__m256i bytes = _mm256_setzero_si256();

	for (; seg < end; seg += VECTOR_GROUP) {
		const struct four s = seg_load_four(seg);
		const __m256i distance = _mm256_sub_epi64(s.buf, of.record);
		__m256i lengths;

		if (!tx_all_simple(&s, distance, &of, &asked))
			break;
		/* In DTALEN and in PAYLEN. */
		lengths = _mm256_or_si256(s.len, _mm256_slli_epi64(s.len, 32 + 14));
		desc_store_four(desc, iova_of_four(distance, &of, s.offset),
				_mm256_add_epi64(command, lengths));
		_mm256_storeu_si256((__m256i *)to, s.buf);
		bytes = _mm256_add_epi64(bytes, s.len);
		desc += VECTOR_GROUP;
		to += VECTOR_GROUP;
	}
	return (struct vector_sum){.n = (uint32_t)(seg - first), .bytes = sum_of_eight(bytes)};
}

#else

bool vector_usable(void)
{
	return false;
}

struct vector_sum vector_rx(const union ixgbe_desc *desc, struct ixgbe_buf *const *buf,
			    struct ixgbe_seg *seg, uint32_t max,
			    const struct vector_rx_terms *terms)
{
	(void)desc, (void)buf, (void)seg, (void)max, (void)terms;
	return (struct vector_sum){0};
}

uint32_t vector_refill(union ixgbe_desc *desc, struct ixgbe_buf **to, struct ixgbe_buf *const *from,
		       uint32_t n, const struct vector_pool *pool, uint32_t headroom)
{
	(void)desc, (void)to, (void)from, (void)n, (void)pool, (void)headroom;
	return 0;
}

struct vector_sum vector_tx(union ixgbe_desc *desc, struct ixgbe_buf **to,
			    const struct ixgbe_seg *seg, uint32_t max,
			    const struct vector_pool *pool, const struct vector_tx_terms *terms,
			    uint64_t most)
{
	(void)desc, (void)to, (void)seg, (void)max, (void)pool, (void)terms, (void)most;
	return (struct vector_sum){0};
}

uint32_t vector_put(struct ixgbe_buf **top, struct ixgbe_buf *const *at, uint32_t n,
		    const struct vector_pool *pool)
{
	(void)top, (void)at, (void)n, (void)pool;
	return 0;
}

#endif
