/* SPDX-License-Identifier: MIT */
#include "broker/impair/distribution.h"

#include "broker/impair/draw.h"

/* The number 1 in fixed point. */
#define ONE 65536

/* The parts of the table of the half normal distribution. */
#define NORMAL_PARTS 512

/*
 * round(65536 * Q(1/2 + i/1024)), where Q is the inverse of the standard normal distribution's
 * function; the last number is 4, where the tail is cut. test_distribution.c computes them again.
 */
const int32_t distribution_normal[NORMAL_PARTS + 1] = {
	/* clang-format off */
	0, 160, 321, 481, 642, 802, 963, 1123, 1283, 1444, 1604, 1765, 1925, 2086, 2246, 2407,
	2567, 2728, 2889, 3049, 3210, 3370, 3531, 3692, 3852, 4013, 4174, 4335, 4495, 4656, 4817,
	4978, 5139, 5300, 5461, 5622, 5783, 5944, 6105, 6266, 6427, 6588, 6750, 6911, 7072, 7234,
	7395, 7557, 7718, 7880, 8041, 8203, 8365, 8526, 8688, 8850, 9012, 9174, 9336, 9498, 9660,
	9823, 9985, 10147, 10310, 10472, 10634, 10797, 10960, 11122, 11285, 11448, 11611, 11774,
	11937, 12100, 12263, 12427, 12590, 12754, 12917, 13081, 13244, 13408, 13572, 13736,
	13900, 14064, 14228, 14393, 14557, 14721, 14886, 15051, 15215, 15380, 15545, 15710,
	15875, 16041, 16206, 16372, 16537, 16703, 16869, 17034, 17200, 17367, 17533, 17699,
	17865, 18032, 18199, 18366, 18532, 18699, 18867, 19034, 19201, 19369, 19536, 19704,
	19872, 20040, 20208, 20377, 20545, 20714, 20882, 21051, 21220, 21389, 21559, 21728,
	21898, 22067, 22237, 22407, 22577, 22748, 22918, 23089, 23259, 23430, 23601, 23773,
	23944, 24116, 24287, 24459, 24631, 24804, 24976, 25149, 25321, 25494, 25668, 25841,
	26014, 26188, 26362, 26536, 26710, 26885, 27059, 27234, 27409, 27584, 27759, 27935,
	28111, 28287, 28463, 28639, 28816, 28993, 29170, 29347, 29525, 29702, 29880, 30058,
	30237, 30415, 30594, 30773, 30952, 31132, 31311, 31491, 31671, 31852, 32032, 32213,
	32394, 32576, 32758, 32939, 33122, 33304, 33487, 33670, 33853, 34036, 34220, 34404,
	34588, 34773, 34958, 35143, 35328, 35514, 35700, 35886, 36072, 36259, 36446, 36634,
	36821, 37009, 37198, 37386, 37575, 37764, 37954, 38144, 38334, 38525, 38715, 38907,
	39098, 39290, 39482, 39675, 39868, 40061, 40254, 40448, 40642, 40837, 41032, 41227,
	41423, 41619, 41816, 42012, 42210, 42407, 42605, 42804, 43002, 43202, 43401, 43601,
	43801, 44002, 44203, 44405, 44607, 44809, 45012, 45216, 45419, 45624, 45828, 46033,
	46239, 46445, 46651, 46858, 47066, 47273, 47482, 47691, 47900, 48110, 48320, 48531,
	48742, 48954, 49166, 49379, 49592, 49806, 50021, 50235, 50451, 50667, 50884, 51101,
	51318, 51537, 51756, 51975, 52195, 52416, 52637, 52859, 53081, 53304, 53528, 53752,
	53977, 54202, 54428, 54655, 54883, 55111, 55340, 55569, 55799, 56030, 56262, 56494,
	56727, 56961, 57195, 57430, 57666, 57903, 58140, 58378, 58617, 58857, 59097, 59339,
	59581, 59824, 60067, 60312, 60557, 60804, 61051, 61299, 61548, 61798, 62048, 62300,
	62552, 62806, 63060, 63316, 63572, 63829, 64087, 64347, 64607, 64868, 65131, 65394,
	65659, 65924, 66191, 66458, 66727, 66997, 67268, 67541, 67814, 68089, 68364, 68641,
	68920, 69199, 69480, 69762, 70045, 70330, 70616, 70903, 71192, 71482, 71774, 72067,
	72361, 72657, 72954, 73253, 73554, 73855, 74159, 74464, 74771, 75079, 75389, 75701,
	76015, 76330, 76647, 76966, 77286, 77609, 77933, 78259, 78588, 78918, 79250, 79584,
	79921, 80259, 80600, 80943, 81288, 81635, 81985, 82337, 82691, 83048, 83408, 83769,
	84134, 84501, 84871, 85243, 85618, 85996, 86377, 86761, 87148, 87538, 87931, 88327,
	88727, 89129, 89536, 89945, 90358, 90775, 91196, 91620, 92048, 92481, 92917, 93357,
	93802, 94251, 94704, 95162, 95625, 96093, 96565, 97043, 97526, 98014, 98507, 99007,
	99512, 100023, 100540, 101064, 101594, 102131, 102675, 103225, 103784, 104350, 104924,
	105506, 106096, 106695, 107304, 107921, 108549, 109186, 109834, 110493, 111164, 111846,
	112540, 113248, 113968, 114703, 115453, 116218, 116999, 117797, 118613, 119448, 120303,
	121178, 122076, 122997, 123944, 124916, 125918, 126949, 128013, 129112, 130248, 131425,
	132646, 133914, 135235, 136614, 138055, 139567, 141156, 142834, 144610, 146500, 148519,
	150691, 153042, 155608, 158437, 161597, 165184, 169346, 174330, 180588, 189113, 202983,
	262144,
	/* clang-format on */
};

/* The pareto distribution with this mean, and this standard deviation: the shape is 3 and the
 * smallest value 1, so they are 3/2 and sqrt(3/4). */
#define PARETO_MEAN (ONE + ONE / 2)
#define PARETO_DEVIATION 56756

/* Return spread * factor / divisor, where the whole fits into 63 bits; the spread is at most 2^46. */
static int64_t scale(uint64_t spread, uint64_t factor, uint64_t divisor)
{
	return (int64_t)(spread / divisor * factor + spread % divisor * factor / divisor);
}

static int64_t draw_uniform(uint64_t draw, uint64_t spread)
{
	return (int64_t)draw_below(draw, 2 * spread) - (int64_t)spread;
}

static int64_t draw_normal(uint64_t draw, uint64_t spread)
{
	unsigned int part = draw >> 54 & (NORMAL_PARTS - 1);
	uint64_t fraction = draw >> 38 & (ONE - 1);
	uint64_t low = (uint64_t)distribution_normal[part];
	uint64_t high = (uint64_t)distribution_normal[part + 1];
	int64_t offset = scale(spread, low + (high - low) * fraction / ONE, ONE);

	return draw >> 63 ? -offset : offset;
}

/* Return the largest whole number whose cube is not above `number`. */
static uint64_t cube_root(uint64_t number)
{
	uint64_t root = 0;

	/* The cube root of 2^64 - 1 has 22 bits. */
	for (uint64_t bit = UINT64_C(1) << 21; bit; bit >>= 1) {
		uint64_t next = root | bit;

		/* 2642245^3 is the largest cube of 64 bits. */
		if (next <= 2642245 && next * next * next <= number)
			root = next;
	}
	return root;
}

static int64_t draw_pareto(uint64_t draw, uint64_t spread)
{
	uint64_t part = draw >> 32;
	uint64_t cube, value;

	/* The tail is cut where a value is 40.3, which one draw in 65536 exceeds. */
	if (part <= ONE)
		part = ONE + 1;
	/* 2^80 / part, in two steps of 64 bits: the cube of ONE / (part / 2^32)^(1/3). */
	cube = (UINT64_C(1) << 48) / part;
	cube = (cube << 32) + (((UINT64_C(1) << 48) % part) << 32) / part;
	value = cube_root(cube);
	if (value < PARETO_MEAN)
		return -scale(spread, PARETO_MEAN - value, PARETO_DEVIATION);
	return scale(spread, value - PARETO_MEAN, PARETO_DEVIATION);
}

int64_t distribution_offset(enum memtun_distribution distribution, uint64_t draw, uint64_t spread)
{
	switch (distribution) {
	case MEMTUN_NORMAL:
		return draw_normal(draw, spread);
	case MEMTUN_PARETO:
		return draw_pareto(draw, spread);
	case MEMTUN_UNIFORM:
		break;
	}
	return draw_uniform(draw, spread);
}
