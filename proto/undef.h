/* undef.h - takes back the macros with which messages.def was read; included after each reading,
 * on purpose without a guard. */
#undef MESSAGE
#undef U64
#undef U32
#undef U16
#undef U8
#undef I64
#undef I32
#undef F64
#undef TEXT
#undef LEVELS
#undef END
