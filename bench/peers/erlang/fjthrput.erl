%% Savina's fork-join throughput: each of so many processes gets so many messages in turn with the
%% others, does a little arithmetic for each, and ends. A latch tells when the last has ended.
-module(fjthrput).

-export([params/0, bench/1]).

params() -> #{actors => 60, messages => 20000}.

bench(#{actors := Actors, messages := Messages}) ->
    run(Actors, bench:warm(Messages)),
    bench:tell_rate(messages, "msg/s", Actors * Messages, run(Actors, Messages)).

run(Actors, Messages) ->
    Self = self(),
    Latch = atomics:new(1, []),
    atomics:put(Latch, 1, Actors),
    bench:timed(fun() ->
        Workers = [
            spawn_link(fun() -> work(Messages, Latch, Self) end)
         || _ <- lists:seq(1, Actors)
        ],
        send(Workers, Messages),
        receive
            done -> ok
        end
    end).

send(_Workers, 0) ->
    ok;
send(Workers, Left) ->
    [Worker ! {work, bench:theta()} || Worker <- Workers],
    send(Workers, Left - 1).

work(0, Latch, Parent) ->
    case atomics:sub_get(Latch, 1, 1) of
        0 -> Parent ! done;
        _ -> ok
    end;
work(Left, Latch, Parent) ->
    receive
        {work, Theta} ->
            bench:work(Theta),
            work(Left - 1, Latch, Parent)
    end.
