-- Distribution functions that intervals are made of: normal, Student's t, the F of a comparison of variances.
-- Not for random numbers, nor for anything that is estimated from samples. Pure; all in double precision.
-- Neighbours: bootstrap and fits (the users); tests/data/reference_figures.lua has what they are checked with.

local M = {}

local ROOT_OF_2_PI = 2.5066282746310005

--- Density of the normal distribution. The square is split into one that is exact and a small rest, as an error
--- of the exponent's last digit would be 30 times larger in the result at x = 8.
---@param x number
---@return number density
function M.normal_density(x)
    local coarse = math.modf(x * 16) / 16
    local rest = (x - coarse) * (x + coarse)
    return math.exp(-coarse * coarse / 2) * math.exp(-rest / 2) / ROOT_OF_2_PI
end

-- P(X > x) for x >= 1: Laplace's continued fraction x + 1/(x + 2/(x + 3/...)), from a depth that is enough.
local function upper_tail(x)
    if x > 39 then return 0.0 end
    local depth = math.ceil(500 / (x * x)) + 20
    local fraction = x
    for i = depth, 1, -1 do fraction = x + i / fraction end
    return M.normal_density(x) / fraction
end

-- P(0 < X < x) for small x: every term is positive, so nothing cancels.
-- Source: Marsaglia, Journal of Statistical Software 11 (2004), section 3.
local function from_the_middle(x)
    local term, sum, i = x, x, 1
    while math.abs(term) > math.abs(sum) * 1e-17 do
        i = i + 2
        term = term * x * x / i
        sum = sum + term
    end
    return sum * M.normal_density(x)
end

--- P(X <= x) of the normal distribution, right to the last digits in both tails.
---@param x number
---@return number p
function M.normal_cdf(x)
    if x ~= x then return x end
    if x <= -1 then return upper_tail(-x) end
    if x >= 1 then return 1 - upper_tail(x) end
    return 0.5 + from_the_middle(x)
end

-- Coefficients of AS 241, PPND16, by ascending power.
local MIDDLE = { { 3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
    4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3 },
    { 1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
    3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3 } }
local NEAR = { { 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4 },
    { 1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
    1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9 } }
local FAR = { { 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7 },
    { 1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
    1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15 } }

local function quotient(of, r)
    local above, below = 0.0, 0.0
    for i = 8, 1, -1 do above, below = above * r + of[1][i], below * r + of[2][i] end
    return above / below
end

--- The x with P(X <= x) = p of the normal distribution. Source: Wichura, algorithm AS 241, Applied Statistics 37
--- (1988), the variant of 16 digits.
---@param p number  from 0 to 1
---@return number x  -inf for 0, inf for 1
function M.normal_quantile(p)
    local q = p - 0.5
    if math.abs(q) <= 0.425 then return q * quotient(MIDDLE, 0.180625 - q * q) end
    local tail = q < 0 and p or 1 - p
    if tail <= 0 then return q < 0 and -math.huge or math.huge end
    local r = math.sqrt(-math.log(tail))
    local x = r <= 5 and quotient(NEAR, r - 1.6) or quotient(FAR, r - 5)
    return q < 0 and -x or x
end

-- ln(Gamma(x)) for x > 0: Stirling's series, after stepping up to where it is good to the last digit.
local function log_gamma(x)
    local shift = 0.0
    while x < 15 do
        shift = shift + math.log(x)
        x = x + 1
    end
    local i = 1 / (x * x)
    local series = (1 / 12 - i * (1 / 360 - i * (1 / 1260 - i * (1 / 1680 - i / 1188)))) / x
    return (x - 0.5) * math.log(x) - x + math.log(ROOT_OF_2_PI) + series - shift
end

-- The continued fraction of the incomplete beta function, by Lentz's method. Source: Abramowitz and Stegun,
-- Handbook of Mathematical Functions (1964), 26.5.8.
local function beta_fraction(x, a, b)
    local c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    local fraction = d
    for m = 1, 1000 do
        local even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / (1 + even * d), 1 + even / c
        fraction = fraction * d * c
        local odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / (1 + odd * d), 1 + odd / c
        fraction = fraction * d * c
        if math.abs(d * c - 1) < 1e-16 then break end
    end
    return fraction
end

--- The regularised incomplete beta function I_x(a, b), of which t and F are special cases.
---@param x number  from 0 to 1
---@param a number  positive
---@param b number  positive
---@return number p
function M.beta_cdf(x, a, b)
    if x <= 0 then return 0.0 end
    if x >= 1 then return 1.0 end
    local front = math.exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * math.log(x) + b * math.log(1 - x))
    if x < (a + 1) / (a + b + 2) then return front * beta_fraction(x, a, b) / a end
    return 1 - front * beta_fraction(1 - x, b, a) / b
end

--- P(T <= t) of Student's distribution.
---@param t number
---@param df number  degrees of freedom
---@return number p
function M.student_cdf(t, df)
    local tail = M.beta_cdf(df / (df + t * t), df / 2, 0.5) / 2
    return t < 0 and tail or 1 - tail
end

--- The t with P(T <= t) = p of Student's distribution.
---@param p number  between 0 and 1
---@param df number  degrees of freedom
---@return number t
function M.student_quantile(p, df)
    if p < 0.5 then return -M.student_quantile(1 - p, df) end
    if p == 0.5 then return 0.0 end
    local low, high = 0.0, 1.0
    while M.student_cdf(high, df) < p do low, high = high, high * 2 end
    for _ = 1, 80 do
        local middle = (low + high) / 2
        if M.student_cdf(middle, df) < p then low = middle else high = middle end
    end
    return (low + high) / 2
end

--- P(F > f): how often two variances of the same size differ by such a ratio by chance.
---@param f number
---@param df_above number  degrees of freedom of the variance above the line
---@param df_below number
---@return number p
function M.f_upper(f, df_above, df_below)
    return M.beta_cdf(df_below / (df_below + df_above * f), df_below / 2, df_above / 2)
end

return M
