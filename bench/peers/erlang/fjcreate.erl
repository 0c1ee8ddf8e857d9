%% Savina's fork-join creation: so many processes are spawned, get one message, do a little
%% arithmetic, and end. A latch tells when the last has done so.
-module(fjcreate).

-export([params/0, bench/1]).

params() -> #{actors => 200000}.

bench(#{actors := Actors}) ->
    run(bench:warm(Actors)),
    bench:tell_rate(actors, "actors/s", Actors, run(Actors)).

run(Actors) ->
    Self = self(),
    Latch = atomics:new(1, []),
    atomics:put(Latch, 1, Actors),
    bench:timed(fun() ->
        create(Actors, Latch, Self),
        receive
            done -> ok
        end
    end).

create(0, _Latch, _Parent) ->
    ok;
create(Left, Latch, Parent) ->
    Worker = spawn(fun() -> work(Latch, Parent) end),
    Worker ! {work, bench:theta()},
    create(Left - 1, Latch, Parent).

work(Latch, Parent) ->
    receive
        {work, Theta} -> bench:work(Theta)
    end,
    case atomics:sub_get(Latch, 1, 1) of
        0 -> Parent ! done;
        _ -> ok
    end.
