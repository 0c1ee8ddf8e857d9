%% Savina's big: each process pings a partner drawn at random, waits for the pong, and pings the
%% next; meanwhile it answers the others. Pings and pongs both count. A sink hears who is done and
%% then ends them all.
-module(big).

-export([params/0, bench/1]).

params() -> #{actors => 120, pings => 2000}.

bench(#{actors := Actors, pings := Pings}) ->
    run(Actors, bench:warm(Pings)),
    bench:tell_rate(messages, "msg/s", 2 * Actors * Pings, run(Actors, Pings)).

run(Actors, Pings) ->
    Sink = self(),
    Pids = [
        spawn_link(fun() ->
            receive
                {company, Company} -> start(N, Company, Pings, Sink)
            end
        end)
     || N <- lists:seq(1, Actors)
    ],
    TookNs = bench:timed(fun() ->
        [Pid ! {company, list_to_tuple(Pids)} || Pid <- Pids],
        [
            receive
                {done, Pid} -> ok
            end
         || Pid <- Pids
        ]
    end),
    [Pid ! stop || Pid <- Pids],
    TookNs.

start(N, Company, Pings, Sink) ->
    ping(Company, Pings, Sink, rand:seed_s(exsss, N)).

ping(Company, 0, Sink, Random) ->
    Sink ! {done, self()},
    act(Company, 0, Sink, Random, none);
ping(Company, Left, Sink, Random) ->
    {At, Next} = rand:uniform_s(tuple_size(Company), Random),
    Partner = element(At, Company),
    Partner ! {ping, self()},
    act(Company, Left, Sink, Next, Partner).

act(Company, Left, Sink, Random, Partner) ->
    receive
        {ping, From} ->
            From ! {pong, self()},
            act(Company, Left, Sink, Random, Partner);
        {pong, From} ->
            From = Partner,
            ping(Company, Left - 1, Sink, Random);
        stop ->
            ok
    end.
