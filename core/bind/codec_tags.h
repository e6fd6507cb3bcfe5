/* codec_tags: the first bytes of encoded values, for the codec's own files only; what follows each is
 * told in codec.h. */
#ifndef RIG_BIND_CODEC_TAGS_H
#define RIG_BIND_CODEC_TAGS_H

enum codec_tag {
    TAG_INT0 = 0x00, /* to 0x7f: the integers 0 to 127 */
    TAG_STR0 = 0x80, /* to 0xbf: strings of 0 to 63 bytes */
    TAG_REF0 = 0xc0, /* to 0xdf: the marked strings 0 to 31 */
    TAG_NIL = 0xe0,
    TAG_FALSE,
    TAG_TRUE,
    TAG_INT8, /* these four in this order, and the four runs too */
    TAG_INT16,
    TAG_INT32,
    TAG_INT64,
    TAG_FLOAT,
    TAG_STR,  /* varint length, bytes */
    TAG_MARK, /* a string follows that gets the next number */
    TAG_REF,  /* varint number of a marked string */
    TAG_RUN8,
    TAG_RUN16,
    TAG_RUN32,
    TAG_RUN64,
    TAG_RUNF,
    TAG_TABLE = 0xf0, /* even: turned into the one below by setting a bit */
    TAG_TABLE_KEPT,   /* remembered by the reader */
    TAG_ARRAY,
    TAG_ARRAY_KEPT,
    TAG_AGAIN, /* varint place of a kept one */
    TAG_END,
};

#define STR_SHORT          64u
#define REF_SHORT          32u
#define PAIRS_EXACT        224u /* pair counts below are in one byte, others as a power of two above it */
#define PAIRS_EXPONENT_MAX 30u

#endif
