%% Savina's pingpong: two processes send a ball back and forth.
-module(pingpong).

-export([params/0, bench/1]).

params() -> #{rounds => 1000000}.

bench(#{rounds := Rounds}) ->
    run(bench:warm(Rounds)),
    bench:tell_round(round_trip, Rounds, run(Rounds)).

run(Rounds) ->
    Self = self(),
    Pong = spawn_link(fun pong/0),
    spawn_link(fun() -> Self ! {took, bench:timed(fun() -> ping(Pong, Rounds) end)} end),
    receive
        {took, Ns} ->
            Pong ! stop,
            Ns
    end.

ping(_Pong, 0) ->
    ok;
ping(Pong, Left) ->
    Pong ! {ping, self(), Left},
    receive
        {pong, Left} -> ping(Pong, Left - 1)
    end.

pong() ->
    receive
        {ping, From, N} ->
            From ! {pong, N},
            pong();
        stop ->
            ok
    end.
