%% Savina's threadring: processes in a ring pass on the number of hops that are left; who gets 0
%% tells that the token is home.
-module(ring).

-export([params/0, bench/1]).

params() -> #{actors => 100, hops => 5000000}.

bench(#{actors := Actors, hops := Hops}) ->
    run(Actors, bench:warm(Hops)),
    bench:tell_rate(hops, "hops/s", Hops, run(Actors, Hops)).

run(Actors, Hops) ->
    Home = self(),
    First = spawn_link(fun() ->
        receive
            {next, Next} -> member(Next, Home, 0)
        end
    end),
    Last = lists:foldl(
        fun(_, Next) -> spawn_link(fun() -> member(Next, Home, 0) end) end,
        First,
        lists:seq(2, Actors)
    ),
    First ! {next, Last},
    TookNs = bench:timed(fun() ->
        First ! {token, Hops},
        receive
            home -> ok
        end
    end),
    First ! {stop, Actors, 0},
    receive
        {passed, Hops} -> TookNs
    end.

%% The order to stop goes around once and gathers the hops.
member(Next, Home, Passed) ->
    receive
        {token, 0} ->
            Home ! home,
            member(Next, Home, Passed);
        {token, Left} ->
            Next ! {token, Left - 1},
            member(Next, Home, Passed + 1);
        {stop, 1, Sum} ->
            Home ! {passed, Sum + Passed};
        {stop, Others, Sum} ->
            Next ! {stop, Others - 1, Sum + Passed}
    end.
