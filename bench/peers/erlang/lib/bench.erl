%% What the Erlang programs share: parameters, the clock that bounds a program, the form of an
%% answer, and what Savina's programs do with a message.
%%
%% A program is a module with params/0, its parameters and their defaults, and bench/1. It is called
%% as PROGRAM key=value ..., does a tenth of the work to warm up and then the measured run, and
%% prints a JSON object a line for each metric. It exits 0, or 2 for a parameter it does not know,
%% or 1 for trouble, having said what.
-module(bench).

-export([main/1, warm/1, now_ns/0, timed/1]).
-export([tell/3, tell_rate/4, tell_round/3, tell_quantiles/1]).
-export([payload/1, work/1, theta/0]).

-define(LIFE_MS, 18000).
-define(VALUE_MAX, 4294967295).

main(Module) ->
    Params = lists:foldl(fun set/2, Module:params(), init:get_plain_arguments()),
    spawn(fun() ->
        timer:sleep(?LIFE_MS),
        stop(1, "the run took too long and was given up", [])
    end),
    try Module:bench(Params) of
        _ -> halt(0)
    catch
        Class:Reason:Stack -> stop(1, "~p: ~p at ~p", [Class, Reason, Stack])
    end.

set(Argument, Params) ->
    [Key | Text] = string:split(Argument, "="),
    case [Known || Known <- maps:keys(Params), atom_to_list(Known) =:= Key] of
        [Known] -> Params#{Known := value(Argument, Text)};
        [] -> stop(2, "~s: no such parameter here", [Key])
    end.

value(Argument, Text) ->
    try list_to_integer(lists:append(Text)) of
        Value when Value >= 1, Value =< ?VALUE_MAX -> Value;
        _ -> stop(2, "~s: a number from 1 to ~b is wanted", [Argument, ?VALUE_MAX])
    catch
        error:badarg -> stop(2, "~s: a number from 1 to ~b is wanted", [Argument, ?VALUE_MAX])
    end.

stop(Status, Format, Args) ->
    io:format(standard_error, Format ++ "~n", Args),
    halt(Status).

%% The share of the work that is done beforehand.
warm(Work) -> max(1, Work div 10).

now_ns() -> erlang:monotonic_time(nanosecond).

timed(Fun) ->
    Began = now_ns(),
    Fun(),
    now_ns() - Began.

tell(Metric, Unit, Value) ->
    io:format("{\"metric\":\"~s\",\"unit\":\"~s\",\"value\":~.6e}~n", [Metric, Unit, Value * 1.0]).

tell_rate(Metric, Unit, Done, TookNs) ->
    tell(Metric, Unit, Done * 1.0e9 / TookNs).

tell_round(Metric, Rounds, TookNs) ->
    tell(Metric, us, TookNs / 1000 / Rounds).

tell_quantiles(LateNs) ->
    Sorted = list_to_tuple(lists:sort(LateNs)),
    [
        tell(Metric, us, element(1 + (tuple_size(Sorted) - 1) * Share div 1000, Sorted) / 1000)
     || {Metric, Share} <- [{p50, 500}, {p99, 990}, {p999, 999}]
    ].

%% Made at run time: a constant would not be copied when it is sent.
payload(Bytes) -> binary:copy(<<0>>, Bytes).

%% The arithmetic for a message in Savina's fork-join programs.
work(Theta) ->
    S = math:sin(Theta),
    true = S * S > 0,
    S * S.

theta() -> 37.2.
